// How fast the page opens: a hub with 10,000 incidents, in headless Chromium, on loopback and over a slow link.
//
//   node e2e/speed.mjs --lares PATH --video FILE [--incidents N]
//
// Prints a line for each figure. Ends with status 0 when the first view stands within 300 ms on loopback, and the first pictures within
// 2 s at 256 kbit/s and 150 ms. What else the machine does can only add to a figure: of five views the best one counts, and all are shown.

import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { FLAGS, argument, browserPath, check, failed, freePort, program, root, scratch, start, until, video } from "./rig.mjs";

const INCIDENTS = Number(argument("incidents", "10000"));
/** Those that have a clip: the newest ones. */
const WITH_CLIP = 200;
const VIEWS = 5;
const OPENS_WITHIN = 300;
const SLOW = { offline: false, latency: 150, downloadThroughput: 256_000 / 8, uploadThroughput: 256_000 / 8 };
const PICTURES_WITHIN = 2000;
const PASSWORD = "correct horse battery";

if (!browserPath) {
  console.log("page: SKIPPED: no Chromium here (apt install chromium)");
  rmSync(scratch, { recursive: true });
  process.exit(0);
}

/** Folders of visits as a box keeps them: pictures and clips of the sample. */
function realVisits() {
  const out = join(scratch, "visits");
  const done = spawnSync(program, ["replay", "--out", out, video], { cwd: root, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`replay: ${done.stderr}`);
  const found = readdirSync(out, { recursive: true }).map(String).filter((name) => name.endsWith("thumb.jpg"));
  return found.map((name) => join(out, name, ".."));
}

/** `n` copies of these visits in the store of a hub, an hour or less apart. Files are linked: they take the room of a few. */
function fill(store, n) {
  const visits = realVisits();
  const now = Date.now();
  for (let at = 0; at < n; at++) {
    const from = visits[at % visits.length];
    const began = now - 60_000 - at * 240_000;
    const id = `01990000-0000-7000-8000-${String(at).padStart(12, "0")}`;
    const camera = ["front-door", "driveway", "garden", "workshop"][at % 4];
    const key = `v1/home/${camera}/${new Date(began).toISOString().slice(0, 10)}/${id}`;
    const folder = join(store, key);
    mkdirSync(folder, { recursive: true });
    const link = (name) => linkSync(join(from, name), join(folder, name));
    for (const name of ["thumb.jpg", "crop.jpg"]) link(name);
    const clip = at < WITH_CLIP ? readdirSync(join(from, "sub")) : [];
    if (clip.length > 0) mkdirSync(join(folder, "sub"));
    for (const name of clip) {
      if (name.endsWith(".m3u8")) copyFileSync(join(from, "sub", name), join(folder, "sub", name));
      else link(join("sub", name));
    }
    const state = clip.length > 0 ? "complete" : "none";
    const message = {
      v: 1, n: null, id, seq: 3, state: "ended", end_reason: "left", site: "home", camera, label: "person", start: began,
      end: began + 9000, sent: began + 9500, clock: "good", score: 0.9, zones: ["gate"], rules: [], tracks: 1, mode: "armed",
      thumbnail: `${key}/thumb.jpg`,
      clip: { key: clip.length > 0 ? `${key}/sub/index.m3u8` : null, state, segments: clip.length, bytes: 0 },
    };
    writeFileSync(join(folder, "incident.json"), JSON.stringify(message));
  }
  const weigh = (name) => (visits.reduce((sum, visit) => sum + statSync(join(visit, name)).size, 0) / visits.length / 1000).toFixed(1);
  console.log(`page: ${n} incidents, pictures of ${weigh("thumb.jpg")} kB, crops of ${weigh("crop.jpg")} kB`);
}

async function hub() {
  const home = join(scratch, "hub");
  mkdirSync(home);
  const [page, broker, store] = await Promise.all([freePort(), freePort(), freePort()]);
  const config = join(home, "hub.toml");
  writeFileSync(
    config,
    `version = 2\ndata_dir = "${join(home, "data")}"\n[hub]\nenabled = true\nsites = ["home"]\nretention = "365 d"\nlisten = "127.0.0.1:${page}"\n` +
      `broker_listen = "127.0.0.1:${broker}"\nstore_listen = "127.0.0.1:${store}"\n`,
  );
  fill(join(home, "data/hub/store"), INCIDENTS);
  const made = spawnSync(program, ["hub", "--config", config, "account", "add", "anna"], { input: `${PASSWORD}\n`, encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  const running = start(["hub", "--config", config], home);
  const address = `http://127.0.0.1:${page}`;
  await until("page", () => fetch(`${address}/api/session`).then((answer) => answer.ok, () => false));
  return {
    address,
    end: async () => {
      running.child.kill("SIGTERM");
      await running.ended;
    },
  };
}

/** Notes when the first card stands, and when each picture of a card is shown, in milliseconds since the view was asked for. */
function watch() {
  globalThis.seen = { card: null, pictures: [] };
  const painted = (note) => requestAnimationFrame(() => setTimeout(() => note(performance.now())));
  const counted = new WeakSet();
  new MutationObserver(() => {
    if (seen.card === null && document.querySelector(".row")) {
      seen.card = 0;
      painted((now) => (seen.card = now));
    }
    for (const image of document.querySelectorAll(".row img")) {
      if (counted.has(image)) continue;
      counted.add(image);
      const shown = () => painted((now) => seen.pictures.push(now));
      if (image.complete) shown();
      else image.addEventListener("load", shown);
    }
  }).observe(document, { childList: true, subtree: true });
}

/** One view with nothing in the browser's memory. */
async function view(browser, address, state, pictures, slow) {
  const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.addInitScript(watch);
  let bytes = 0;
  const devtools = await context.newCDPSession(page);
  await devtools.send("Network.enable");
  devtools.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  if (slow) await devtools.send("Network.emulateNetworkConditions", slow);
  await page.goto(address, { waitUntil: "commit" });
  await page.waitForFunction((wanted) => globalThis.seen?.pictures.length >= wanted, pictures);
  const seen = await page.evaluate(() => globalThis.seen);
  await context.close();
  return { ...seen, bytes };
}

async function views(browser, address, state, pictures, slow) {
  const all = [];
  for (let n = 0; n < VIEWS; n++) all.push(await view(browser, address, state, pictures, slow));
  return all;
}

const best = (figures) => Math.round(Math.min(...figures));
const listed = (figures) => figures.map(Math.round).join(", ");

async function measure(browser, address) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(address);
  await page.getByLabel("Name").fill("anna");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator(".row").first().waitFor();
  const state = await context.storageState();
  await context.close();

  const quick = await views(browser, address, state, 3, null);
  const cards = quick.map(({ card }) => card);
  check(best(cards) <= OPENS_WITHIN, `opens in ${best(cards)} ms on loopback with ${INCIDENTS} incidents (${listed(cards)})`);
  const shown = quick.map(({ pictures }) => pictures[2]);
  console.log(`page: three pictures on loopback in ${best(shown)} ms (${listed(shown)})`);

  const slow = await views(browser, address, state, 3, SLOW);
  const text = slow.map(({ card }) => card);
  console.log(`page: at 256 kbit/s and 150 ms the first view stands in ${best(text)} ms (${listed(text)})`);
  const first = slow.map(({ pictures }) => pictures[0]);
  check(best(first) <= PICTURES_WITHIN, `and its first picture is there in ${best(first)} ms (${listed(first)})`);
  const three = slow.map(({ pictures }) => pictures[2]);
  console.log(`page: three of them in ${best(three)} ms (${listed(three)}), after ${(best(slow.map(({ bytes }) => bytes)) / 1000).toFixed(0)} kB`);
}

const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
try {
  const { address, end } = await hub();
  try {
    await measure(browser, address);
  } finally {
    await end();
  }
} catch (error) {
  check(false, error.message);
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`page: load of this machine ${readFileSync("/proc/loadavg", "utf8").split(" ")[0]}`);
console.log(failed() === 0 ? "page: fast enough" : `page: ${failed()} FAILED`);
process.exit(failed() === 0 ? 0 : 1);
