// The page of `lares demo` in headless Chromium: what a household does with it, and that nothing of it is broken.
//
//   node e2e/page.mjs --lares PATH --video FILE [--pictures DIR]
//
// Ends with status 0 when every step holds, and with one line for each. Pictures for the documents go to DIR.

import { readFileSync, readdirSync, rmSync } from "node:fs";
import { chromium } from "playwright-core";

import {
  FLAGS, audit, browserPath, check, demo, failed, fits, incidents, lightOf, open, picture, playing, plays, scratch, twoCameras, until,
} from "./rig.mjs";

if (!browserPath) {
  console.log("page: SKIPPED: no Chromium here (apt install chromium)");
  rmSync(scratch, { recursive: true });
  process.exit(0);
}

/** Opens the menu that pauses cameras. */
const openPause = (page) => page.getByRole("button", { name: "Pause", exact: true }).click();

/** The open incident is gone, and the list is back. */
const closed = (page) => page.locator(".incident").waitFor({ state: "detached" });

/** Opens incident `id` from the list: as the newest of its visit, or out of the visit that it belongs to. */
async function openFromList(page, id) {
  await page.locator(`[data-visit~="${id}"] a`).click();
  await page.locator(".incident").waitFor();
  if (!page.url().includes(id)) await page.locator(`.incident [data-incident="${id}"]`).click();
}

async function household(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1280, height: 800 } });
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.locator(".tile", { hasText: "Front door" }).waitFor();

  const opened = await page.evaluate(() => performance.timeOrigin);
  await page.locator(".row").first().waitFor();
  check((await page.evaluate(() => performance.timeOrigin)) === opened, "an incident appears without loading the page again");
  const coding = async (taken) => (await fetch(address, { headers: { "accept-encoding": taken } })).headers.get("content-encoding");
  const codings = [await coding("gzip, deflate, br, zstd"), await coding("gzip, br;q=0"), await coding("identity")];
  check(codings.join() === "br,gzip,", "the page goes out in the smallest coding that the browser takes");

  await until("clip that grows", async () => (await incidents(page))[0]?.clip.state === "first");
  await page.locator(".row").first().click();
  await plays(page, "a clip that is still uploading");
  check(await page.getByText("Still recording").isVisible(), "the page says that it is still recording");
  await picture(page, "clip");
  await audit(page, "an open incident");
  const id = (await incidents(page)).at(-1).id;
  await until("complete clip", async () => (await incidents(page)).find((one) => one.id === id)?.clip.state === "complete");
  await page.keyboard.press("Escape");
  await closed(page);

  await openFromList(page, id);
  await plays(page, "a complete clip");
  const { length } = await playing(page);
  const whole = (await incidents(page)).find((one) => one.id === id);
  check(Number.isFinite(length) && length >= whole.seconds, `a complete clip has an end (${length.toFixed(1)} s, a visit of ${whole.seconds} s)`);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  const file = await (await download).path();
  check(readFileSync(file).subarray(4, 8).toString() === "ftyp", "the clip can be downloaded as one MP4");
  await step(page);
  await page.getByRole("link", { name: "Close, back to what happened" }).click();
  await closed(page);

  await page.getByRole("button", { name: "Français" }).click();
  await page.getByRole("heading", { name: "Ce qui s’est passé" }).waitFor();
  check((await page.evaluate(() => document.documentElement.lang)) === "fr", "the language switches to French");
  await page.reload();
  await page.getByRole("heading", { name: "Caméras", exact: true }).waitFor();
  check(true, "and stays French");
  await picture(page, "accueil", true);
  await audit(page, "the first page in French");
  await page.getByRole("button", { name: "English" }).click();
  await page.mouse.move(0, 0);
  await page.locator(".tile [data-live=live]").waitFor();
  await picture(page, "home", true);

  await openPause(page);
  const toggle = page.getByRole("switch", { name: "Front door camera on" });
  check((await toggle.getAttribute("aria-checked")) === "true", "the camera is on");
  await toggle.click();
  await page.locator(".state").getByText("Nothing is filmed or saved.", { exact: true }).waitFor();
  const mode = () => page.evaluate(async () => (await (await fetch("/api/house")).json()).cameras[0]);
  const paused = await until("pause", async () => (await mode()).state === "suspended" && (await mode()));
  check(paused.mode === "disarmed", "the switch reaches the agent: the camera is suspended");
  check((await page.locator('.tile[data-tile="paused"]').count()) === 1, "its tile says that it is paused, without a picture");
  await toggle.click();
  await page.locator('.tile[data-tile="picture"], .tile[data-tile="somebody"]').waitFor();
  check((await mode()).mode === "armed", "and back");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

/** One picture back and on, and the keys. */
async function step(page) {
  const at = () => page.evaluate(() => document.querySelector(".incident video").currentTime);
  await page.getByRole("button", { name: "One picture on" }).click();
  const before = await at();
  await page.getByRole("button", { name: "One picture on" }).click();
  const on = (await at()) - before;
  check(on > 0.01 && on < 0.3, `a clip goes on by one picture (${on.toFixed(3)} s)`);
  await page.locator(".incident h1").focus();
  await page.keyboard.press(",");
  const back = (await at()) - before;
  check(Math.abs(back) < 0.02, `and back, by a key (${back.toFixed(3)} s)`);
  await page.keyboard.press("Space");
  await until("playing by the space bar", () => page.evaluate(() => !document.querySelector(".incident video").paused));
  await page.getByLabel("Speed").selectOption("2×");
  check((await page.evaluate(() => document.querySelector(".incident video").playbackRate)) === 2, "it plays at twice the speed");
}

/** An incident has an address: Back leads to the list, a reload keeps incident and choice, and the address can be sent to somebody. */
async function addresses(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1280, height: 800 } });
  await until("two incidents", async () => (await incidents(page)).length > 1);
  await page.locator(".row").first().waitFor();
  await page.getByRole("combobox", { name: /^Camera/ }).selectOption({ label: "Front door" });
  const list = page.url();
  check(list.endsWith("#/?camera=demo/camera1"), `what the list is narrowed to is in the address (${list})`);
  await page.locator(".row").first().click();
  await page.locator(".incident").waitFor();
  const incident = page.url();
  check(/#\/incident\/[0-9a-f-]{36}\?camera=demo\/camera1$/.test(incident), `so is the open incident (${incident})`);
  await page.getByRole("link", { name: /^Earlier/ }).click();
  await until("the earlier one", async () => page.url() !== incident);
  await page.keyboard.press("ArrowRight");
  await until("the later one", async () => page.url() === incident);
  check(true, "the earlier incident and back, by button and by key");
  await page.goBack();
  await closed(page);
  check(page.url() === list, "Back closes it");
  await page.goForward();
  await page.locator(".incident").waitFor();
  await page.reload();
  await page.locator(".incident").waitFor();
  const chosen = await page.getByRole("combobox", { name: /^Camera/, includeHidden: true }).inputValue();
  check(page.url() === incident && chosen === "demo/camera1", "a reload keeps incident and choice");
  await page.keyboard.press("Escape");
  await closed(page);
  check(page.url() === list, "Escape leads to the list after a reload too");
  await page.goto(`${address}/#/incident/01990000-0000-7000-8000-000000000000`);
  await page.getByText("no longer there").waitFor();
  check(true, "an address of nothing says so");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

/** An incident is kept, dismissed and deleted, and the record says so. */
async function decisions(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1280, height: 800 } });
  const whole = await until("two whole incidents", async () => {
    const ended = (await incidents(page)).filter((one) => one.state === "ended" && one.clip.state === "complete");
    return ended.length > 1 && ended;
  });
  const { id } = whole.at(-1);
  const known = () => page.evaluate(async (id) => (await fetch(`/api/incidents/${id}`)).status, id);
  await page.goto(`${address}/#/incident/${id}`);
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByLabel("Why").fill("parcel taken");
  await page.locator("dialog").getByRole("button", { name: "Keep" }).click();
  await page.getByText(/^Kept until .* parcel taken$/).waitFor();
  check((await page.getByRole("button", { name: "Delete" }).count()) === 0, "what is kept cannot be deleted");
  await page.reload();
  await page.getByText(/^Kept until .* parcel taken$/).waitFor();
  check(true, "an incident is kept with its reason, over a reload");
  await page.getByRole("button", { name: "End this" }).click();
  await page.getByRole("button", { name: "False alarm" }).click();
  await page.getByText("Marked as a false alarm").waitFor();
  await audit(page, "an incident that was a false alarm");
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "False alarm" }).waitFor();
  check(true, "a false alarm is taken back");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  check((await known()) === 200, "who is not sure deletes nothing");
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await closed(page);
  check((await known()) === 404, "a deleted incident is gone, and the list is back");
  await page.goto(`${address}/#/record`);
  for (const deed of ["deleted a visit", "took a false alarm back", "marked a false alarm", "no longer keeps a visit", "kept a visit"]) {
    await page.getByRole("cell", { name: deed }).first().waitFor();
  }
  check(true, "the record says what was done with it");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

/** The box goes away while a clip is opened, and comes back; and one incident has a time that there is no date for. */
async function mishaps(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1280, height: 800 } });
  await until("complete clip", async () => (await incidents(page)).some((one) => one.clip.state === "complete"));
  const { id } = (await incidents(page)).find((one) => one.clip.state === "complete");
  let away = true;
  await page.route(/\/media\/.*(m3u8|m4s|mp4)/, (route) => (away ? route.abort() : route.fallback()));
  await page.goto(`${address}/#/incident/${id}`);
  await page.locator(".incident video").waitFor();
  check((await page.locator(".incident video").getAttribute("poster")) !== null, "a clip has a picture before it plays");
  await page.getByRole("button", { name: "Try again" }).waitFor();
  check(await page.getByText("cannot be played just now").isVisible(), "a clip that cannot be had says so");
  away = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await plays(page, "a clip that is tried again");
  faults.splice(0, faults.length, ...faults.filter((fault) => !/ERR_FAILED/.test(fault)));

  await page.route(/\/api\/incidents\?/, async (route) => {
    const answer = await route.fetch();
    const told = await answer.json();
    told.incidents.unshift({ ...told.incidents[0], id: "01990000-0000-7000-8000-00000000dead", start: 9e15 });
    await route.fulfill({ response: answer, json: told });
  });
  await page.goto(`${address}/#/`);
  await page.reload();
  await page.locator(".row").nth(1).waitFor();
  check(await page.getByRole("heading", { name: "Day unknown" }).isVisible(), "an incident of no date hides no other");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

async function masks(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1280, height: 900 } });
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: /Zones and masks/ }).click();
  const canvas = page.getByTestId("canvas");
  await canvas.waitFor();
  await page.getByRole("button", { name: "Add a privacy mask" }).click();
  const box = await canvas.boundingBox();
  const corners = [[0.02, 0.02], [0.3, 0.02], [0.3, 0.5], [0.02, 0.5]];
  for (const [x, y] of corners) await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  await page.getByRole("button", { name: "Done" }).click();

  // A zone, by keys alone.
  await page.getByRole("button", { name: "Add a zone" }).focus();
  await page.keyboard.press("Enter");
  check(await canvas.evaluate((element) => document.activeElement === element), "who draws by keys is led to the picture");
  for (const [key, times] of [["ArrowLeft", 10], ["ArrowDown", 10], ["ArrowRight", 20]]) {
    for (let n = 0; n < times; n++) await page.keyboard.press(key);
    await page.keyboard.press("Enter");
  }
  await page.getByRole("button", { name: "Done" }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Name of the zone").fill("path");
  await picture(page, "areas", true);
  await audit(page, "the page for zones and masks");
  const asked = page.waitForEvent("dialog").then((dialog) => dialog.dismiss().then(() => dialog.message()));
  await page.getByRole("link", { name: "Home" }).click();
  check(/not saved/.test(await asked), "who leaves a drawing is asked");
  check((await page.getByLabel("Name of the zone").inputValue()) === "path", "and stays where it is");
  const before = new Set((await incidents(page)).map(({ id }) => id));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved, and in use.").waitFor();
  const areas = await page.evaluate(async () => (await (await fetch("/api/cameras/demo/camera1/areas")).json()));
  check(areas.privacy_mask.length === 1 && areas.zones[0].name === "path" && areas.zones[0].area.length === 3, "mask and zone are in the configuration");
  const kept = readdirSync(scratch, { recursive: true }).map(String).filter((name) => /lares\.toml\.\d/.test(name));
  check(kept.length === 1, "the configuration before is kept");

  const next = await until("visit with the mask", async () =>
    (await incidents(page)).find((one) => !before.has(one.id) && one.picture && one.clip.state === "complete"),
  );
  const [inside, outside] = [await lightOf(page, next.picture, [0.06, 0.08, 0.26, 0.44]), await lightOf(page, next.picture, [0.4, 0.6, 0.9, 0.95])];
  check(inside < 12 && outside > 30, `the mask is black in the next picture (${inside.toFixed(0)} inside, ${outside.toFixed(0)} elsewhere)`);
  await page.goto(`${address}/#/`);
  await openFromList(page, next.id);
  await plays(page, "a clip with a mask");
  const dark = await lightOf(page, null, [0.06, 0.08, 0.24, 0.42]);
  check(dark < 16, `the mask is black in the clip too (${dark.toFixed(0)})`);
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

async function keyboard(browser, address) {
  const { page, close } = await open(browser, address, { viewport: { width: 1280, height: 800 } });
  await page.locator(".row").first().waitFor();
  await page.keyboard.press("Tab");
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.getAttribute("aria-label"));
  check((await focused()) === "Skip to the content", "the first stop of the keyboard is the way past the menu");
  await page.keyboard.press("Enter");
  check(await page.evaluate(() => document.activeElement.id === "content"), "which leads to the content");
  let reached = false;
  for (let n = 0; n < 12 && !reached; n++) {
    await page.keyboard.press("Tab");
    reached = await page.evaluate(() => document.activeElement.closest(".row") !== null);
  }
  check(reached, "an incident is reached by Tab");
  const seen = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
  check(seen, "the focus can be seen");
  await page.keyboard.press("Enter");
  await page.locator(".incident video").waitFor();
  check(await page.evaluate(() => document.activeElement === document.querySelector(".incident h1")), "who opens it by keys is led to it");
  for (let n = 0; n < 8; n++) {
    await page.keyboard.press("Tab");
    if (!(await page.evaluate(() => document.activeElement.closest(".incident") !== null))) check(false, "the focus has left the open incident");
  }
  check(true, "the next stops of the keyboard are in the open incident");
  await page.keyboard.press("Escape");
  await closed(page);
  await until("focus on the row", () => page.evaluate(() => document.activeElement.closest(".row") !== null));
  check(true, "Escape closes it and leads back");
  await page.getByRole("button", { name: "Pause", exact: true }).focus();
  await page.keyboard.press("Enter");
  const toggle = page.getByRole("switch");
  await toggle.focus();
  await page.keyboard.press("Space");
  await page.locator(".state").getByText("Nothing is filmed or saved.", { exact: true }).waitFor();
  await page.locator('[role="switch"][aria-disabled="false"]').waitFor();
  check(await toggle.evaluate((element) => document.activeElement === element), "the focus stays on the switch");
  await page.keyboard.press("Space");
  await page.locator('.tile[data-tile="picture"], .tile[data-tile="somebody"]').waitFor();
  check(true, "the switch works with the space bar");
  await page.keyboard.press("Escape");
  const back = await page.getByRole("button", { name: "Pause", exact: true }).evaluate((element) => document.activeElement === element);
  check(back, "Escape closes the menu and leads back to its button");
  await close();
}

async function small(browser, address) {
  for (const [name, options] of [
    ["a phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }],
    ["a dark phone in French", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, colorScheme: "dark", locale: "fr-FR" }],
    ["200 % zoom", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ]) {
    const { page, close } = await open(browser, address, options);
    await page.locator(".row").first().waitFor();
    await page.waitForTimeout(1500);
    await fits(page, name);
    await audit(page, name);
    if (name.includes("phone")) await picture(page, name.includes("dark") ? "telephone" : "phone", true);
    await page.locator(".row").first().click();
    await page.locator(".incident").waitFor();
    await fits(page, `${name}, with an open incident`);
    await page.keyboard.press("Escape");
    for (const place of ["areas/demo/camera1", "accounts", "record", "settings", "camera/demo/camera1"]) {
      await page.goto(`${address}/#/${place}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(500);
      await fits(page, `${name}, ${place}`);
      await audit(page, `${name}, ${place}`);
    }
    await close();
  }
}

/** Text at 200 % on a small phone: words wrap, and nothing is cut off. */
async function large(browser, address) {
  for (const [name, locale] of [["in English", "en-GB"], ["in French", "fr-FR"]]) {
    const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2, locale };
    const { page, close } = await open(browser, address, phone);
    const grow = () => page.evaluate(() => (document.documentElement.style.fontSize = "225%"));
    await page.locator(".row").first().waitFor();
    await grow();
    await page.waitForTimeout(500);
    await fits(page, `text of 200 % ${name}`);
    const cut = await page.evaluate(() =>
      [...document.querySelectorAll("h1, h2, h3, p, strong, button, a, label, select")]
        .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".unseen, .skip"))
        .map((element) => element.textContent.slice(0, 40)),
    );
    check(cut.length === 0, `nothing is cut off ${name} (${cut.join(" | ")})`);
    await picture(page, name.includes("French") ? "grand" : "large", true);
    await page.locator(".row").first().click();
    await page.locator(".incident").waitFor();
    const box = await page.locator(".incident").boundingBox();
    check(box.x >= 0 && box.x + box.width <= 360, `an open incident stands on the screen ${name} (${box.x}, ${box.width})`);
    await fits(page, `an open incident with text of 200 % ${name}`);
    for (const place of ["areas/demo/camera1", "accounts", "record", "settings", "camera/demo/camera1"]) {
      await page.goto(`${address}/#/${place}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForTimeout(300);
      await fits(page, `text of 200 % ${name}, ${place}`);
    }
    await close();
  }
}

/** As the page says it in English. */
const REFUSED = /refused within a minute/;

/** What strangers try is written down once a minute, as a sum. */
async function refusalsAreSummed(page) {
  const row = page.getByText(REFUSED).first();
  const until = Date.now() + 90_000;
  while (!(await row.isVisible()) && Date.now() < until) {
    await page.waitForTimeout(3000);
    await page.reload();
    await page.getByRole("cell").first().waitFor();
  }
  check(await row.isVisible(), "refused logins are summed in the record");
}

async function logIn(browser, address) {
  const { page, close } = await open(browser, address, { viewport: { width: 800, height: 700 } });
  await page.goto(`${address}/#/accounts`);
  await page.getByLabel("Name").fill("anna");
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Add an account" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  check(true, "with the first account the page asks for a password");
  await audit(page, "the page for logging in");
  await page.getByLabel("Name").fill("anna");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("Wrong name or password.").waitFor();
  await page.getByLabel("Password").fill("correct horse battery");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  await page.goto(`${address}/#/record`);
  await refusalsAreSummed(page);
  check(await page.getByText("changed zones or masks").first().isVisible(), "the record says who did what");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  check(true, "logging out works");
  await close();
}

/** Two cameras: one switch for both, and one list that can be narrowed. */
async function everywhere(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 1000, height: 800 } });
  await page.locator(".tile", { hasText: "Street" }).waitFor();
  const states = () =>
    page.evaluate(async () => (await (await fetch("/api/house")).json()).cameras.map(({ state, mode }) => `${state} ${mode}`).join());
  await until("both cameras", async () => (await states()) === "online armed,online armed");
  await openPause(page);
  await page.getByRole("button", { name: "Pause all cameras" }).click();
  await until("pause", async () => (await states()) === "suspended disarmed,suspended disarmed");
  await page.getByText("All cameras are paused").waitFor();
  await page.getByRole("button", { name: "Turn all on" }).click();
  await until("watch", async () => (await states()) === "online armed,online armed");
  check(true, "one switch pauses and watches the whole house");
  await until("visits at both", async () => new Set((await incidents(page)).map(({ camera }) => camera)).size === 2);
  await page.getByRole("combobox", { name: /^Camera/ }).selectOption({ label: "Street" });
  const shown = () => page.locator(".row").allInnerTexts();
  await until("incidents of one camera", async () => (await shown()).length > 0 && (await shown()).every((text) => text.includes("Street")));
  check(true, "the list can be narrowed to a camera");

  // A camera of another box, as the hub would tell of it.
  await page.route(/\/api\/house/, async (route) => {
    const answer = await route.fetch();
    const told = await answer.json();
    told.cameras.forEach((one, at) => Object.assign(one, { site: "annex", id: `camera${at + 1}`, editable: false }));
    await route.fulfill({ response: answer, json: told });
  });
  await page.goto(`${address}/#/areas/annex/camera2`);
  await page.reload();
  await page.getByText("belongs to the box “annex”").waitFor();
  check((await page.getByRole("button", { name: "Save" }).count()) === 0, "of another box's camera the page says where its areas are drawn");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

/** An H.265 camera: Chromium plays what was encoded anew beside its clips, and other browsers are told what they cannot play. */
async function h265(browser, address) {
  const { page, faults, close } = await open(browser, address, { viewport: { width: 800, height: 700 } });
  await page.locator(".row").first().waitFor();
  const { id } = await until("incident of it", async () => (await incidents(page)).findLast(({ camera }) => camera === "street"));
  const known = async () => (await incidents(page)).find((one) => one.id === id);
  await until("clip of an H.265 camera", async () => (await known())?.clip.playlist);
  await openFromList(page, id);
  await plays(page, "the preview of an H.265 clip");
  const { playlist, codec } = (await known()).clip;
  check(playlist.includes("/preview/") && codec === "h264", `what plays is the preview, in H.264 (${playlist}, ${codec})`);
  await page.keyboard.press("Escape");

  // Without a preview (`preview = false`), in a browser that has no H.265.
  await page.addInitScript(() => {
    const without = (ask, no) => function (type) {
      return /hvc1|hev1/.test(type) ? no : ask.call(this, type);
    };
    MediaSource.isTypeSupported = without(MediaSource.isTypeSupported, false);
    HTMLMediaElement.prototype.canPlayType = without(HTMLMediaElement.prototype.canPlayType, "");
  });
  await page.route(/\/api\/incidents/, async (route) => {
    const answer = await route.fetch();
    const told = await answer.json();
    for (const one of told.incidents ?? []) Object.assign(one.clip, { codec: "h265", parts: 2 });
    await route.fulfill({ response: answer, json: told });
  });
  await until("whole clip", async () => (await known())?.clip.download);
  await page.reload();
  await openFromList(page, id);
  await page.getByText("This browser cannot play").waitFor();
  const files = await page.getByRole("link", { name: /^Download/ }).evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  check(files.length === 2 && files[1].endsWith("?part=2"), `a browser without H.265 says so, and offers each of two files (${files})`);
  check((await page.locator(".incident video").count()) === 0, "and tries no player");
  check(faults.length === 0, `no error and no other host${faults.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

/** Takes `steps` on the page of what `begin` starts. */
async function take(browser, begin, steps) {
  const { page, end } = await begin();
  try {
    for (const step of steps) await step(browser, page);
  } catch (error) {
    check(false, `${error.message}`.split("\n").slice(0, 6).join(" | "));
  } finally {
    await end();
  }
}

const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
try {
  await take(browser, demo, [household, addresses, decisions, keyboard, masks, mishaps, small, large, logIn]);
  await take(browser, twoCameras, [everywhere, h265]);
} catch (error) {
  check(false, error.message);
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}
console.log(failed() === 0 ? "page: every step holds" : `page: ${failed()} FAILED`);
process.exit(failed() === 0 ? 0 : 1);
