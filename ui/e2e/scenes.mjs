// The page as it looks: homes of 1, 4 and 16 cameras, somebody there, a fault, a pause and so on, in all widths, colours and languages.
//
//   node e2e/scenes.mjs --pictures DIR [--lares PATH] [--page URL] [--dist DIR] [--only REGEX] [--png]
//
// The pictures and clips are those of `lares demo`; what the house has and what happened is made here. Each scene is also checked:
// nothing needs sideways scrolling, the first view of a phone has what it must have, and axe-core finds no serious fault.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

import { FLAGS, argument, audit, browserPath, check, demo, failed, fits, incidents, open, scratch, until } from "./rig.mjs";

const out = argument("pictures", scratch);
const png = process.argv.includes("--png");
const only = new RegExp(argument("only", "."));
const NOW = Date.UTC(2026, 10, 29, 15, 10);
const HOUR = 3_600_000;
const NAMES = {
  en: ["Front path", "Driveway", "Garden", "Courtyard", "Gate", "Terrace", "Cellar", "Street", "Shed", "Orchard", "Hall", "Workshop", "Stairs", "Greenhouse", "Parking", "Lane"],
  fr: ["Allée", "Garage", "Jardin", "Cour", "Portail", "Terrasse", "Cave", "Rue", "Abri", "Verger", "Entrée", "Atelier", "Escalier", "Serre", "Parking", "Ruelle"],
};
const ZONES = { en: ["gate", "door"], fr: ["portail", "porte"] };
const SIZES = { 360: [360, 740], 768: [768, 1024], 1280: [1280, 800], 1920: [1920, 1080] };

/** Cameras of a house in `state`. */
function house(lang, n, state) {
  const cameras = NAMES[lang].slice(0, n).map((name, at) => {
    const camera = { site: "home", id: `c${at}`, name, state: "online", problem: null, mode: "armed", person: false, motion: false, still: `/api/cameras/home/c${at}/still.jpg`, editable: true };
    if (state === "paused" || (state === "some" && at === 1)) Object.assign(camera, { state: "suspended", mode: "disarmed", still: null });
    if (state === "fault" && at === Math.min(2, n - 1)) {
      Object.assign(camera, { state: "offline", still: null, problem: "camera 192.168.1.14 cannot be reached on port 554: check that it is switched on" });
    }
    if (state === "somebody" && at === 0) camera.person = true;
    return camera;
  });
  const site = { id: "home", online: true, silent: false, heard: NOW, local: true, problems: [], budget: null };
  return { v: 1, zone: "UTC", now: NOW, problems: [], sites: [site], cameras };
}

/** What happened: visits of one day and the day before, after those that the demo has seen. */
function happened(lang, n, state, real) {
  const times = [
    [0, 18, 21, "door"], [0, 36, 48, ""], [0, 38, 12, ""], [0, 41, 30, ""], [1, 83, 95, ""], [0, 185, 17, "gate"], [3, 230, 14, ""],
    [0, 356, 17, "door"], [2, 400, 33, ""], [1, 470, 21, ""], [0, 1375, 33, "gate"], [0, 1530, 12, ""], [1, 1748, 19, ""], [3, 1900, 40, ""],
  ];
  return times.map(([camera, minutes, seconds, zone], at) => {
    const from = real[at % real.length];
    const start = NOW - minutes * 60_000;
    const now = state === "somebody" && at === 0;
    return {
      ...from,
      id: `01990000-0000-7000-8000-${String(at).padStart(12, "0")}`,
      site: "home",
      camera: `c${Math.min(camera, n - 1)}`,
      label: "person",
      state: now ? "updated" : "ended",
      start: now ? NOW - 14_000 : start,
      end: now ? null : start + seconds * 1000,
      seconds: now ? null : seconds,
      zones: zone ? [ZONES[lang][zone === "gate" ? 0 : 1]] : [],
      rules: [],
      test: false,
      kept: state === "kept" && at === 1 ? { reason: lang === "fr" ? "Colis volé" : "Parcel taken", until: Date.UTC(2027, 1, 28), by: "anna", at: NOW } : null,
      false_alarm: state === "kept" && at === 1 ? { by: "anna", at: NOW } : null,
      deletable: true,
    };
  });
}

/** Stills of several views, cut out of the demo's one. */
async function stills(page) {
  const cut = await page.evaluate(async () => {
    const whole = await createImageBitmap(await (await fetch("/api/cameras/demo/camera1/still.jpg")).blob());
    const views = [[0, 0, 1], [0.3, 0, 0.65], [0, 0.35, 0.6], [0.35, 0.3, 0.6]];
    return Promise.all(
      views.map(async ([x, y, size]) => {
        const canvas = new OffscreenCanvas(640, 360);
        const side = { width: whole.width * size, height: (whole.width * size * 9) / 16 };
        const top = Math.min(whole.height * y, Math.max(0, whole.height - side.height));
        canvas.getContext("2d").drawImage(whole, whole.width * x, top, side.width, side.height, 0, 0, 640, 360);
        const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
        return [...new Uint8Array(await blob.arrayBuffer())];
      }),
    );
  });
  return cut.map((bytes) => Buffer.from(bytes));
}

/** A day of recording with a pause and a time without a picture. */
function recorded() {
  const day = Date.UTC(2026, 10, 29);
  const at = (hours) => day + hours * HOUR;
  return {
    v: 1,
    spans: [[0, 3.2], [3.4, 12.5], [13, 15.16]].map(([from, to]) => ({ from: at(from), to: at(to) })),
    gaps: [{ from: at(3.2), to: at(3.4), why: "away" }, { from: at(12.5), to: at(13), why: "paused" }],
  };
}

/** Has the page see this house, and what happened in it. */
async function stage(page, { lang, n, state }, real, views) {
  const told = house(lang, n, state);
  const list = state === "empty" ? [] : happened(lang, n, state, real);
  const json = (body) => (route) => route.fulfill({ json: body });
  const never = () => new Promise(() => {});
  await page.clock.setFixedTime(NOW);
  await page.addInitScript((from) => {
    localStorage.setItem("lares-seen", JSON.stringify({ from, ids: [] }));
    globalThis.EventSource = class {
      constructor() {
        setTimeout(() => this.onopen?.());
      }
      addEventListener() {}
      close() {}
    };
  }, NOW - 1.5 * HOUR);
  await page.route(/\/api\/incidents\?/, state === "loading" ? never : state === "broken" ? (route) => route.fulfill({ status: 503, json: { v: 1, error: { code: "unavailable", message: "" } } }) : json({ v: 1, incidents: list, next: null }));
  await page.route(/\/api\/incidents\/0199[^/]*$/, (route) => {
    const incident = list.find(({ id }) => route.request().url().endsWith(id));
    return route.fulfill({ json: { v: 1, incident } });
  });
  await page.route(/\/api\/days/, json({ v: 1, days: [{ day: "2026-11-29", incidents: 10 }, { day: "2026-11-28", incidents: 4 }], cameras: [] }));
  await page.route(/\/api\/house/, state === "loading" ? never : json(told));
  await page.route(/\/api\/recordings$/, json({ v: 1, cameras: [{ camera: "c0", keep_s: 172_800, recording: true, oldest: NOW - 48 * HOUR, newest: NOW, bytes: 0, streams: ["sub"] }] }));
  await page.route(/\/api\/recordings\/c0\?/, json(recorded()));
  // The film is a clip of the demo.
  await page.route(/\/api\/recordings\/c0\/play\.m3u8/, (route) => route.fulfill({ status: 302, headers: { Location: real[0].clip.playlist } }));
  await page.route(/\/still\.jpg/, (route) => {
    const at = Number(/c(\d+)\/still/.exec(route.request().url())?.[1] ?? 0);
    if (state === "waiting") return never();
    return route.fulfill({ contentType: "image/jpeg", body: views[(at + (at >> 2)) % views.length] });
  });
}

/** What must be seen of the first page on a phone, without scrolling: the state, two cameras, the newest visit. */
async function firstView(page, name) {
  const bottom = (await page.locator("nav").boundingBox()).y;
  const whole = async (locator) => {
    const box = await locator.boundingBox();
    return box !== null && box.y >= 0 && box.y + box.height <= bottom;
  };
  const tiles = page.locator(".tile");
  const two = (await tiles.count()) < 2 ? await whole(tiles.first()) : (await whole(tiles.first())) && (await whole(tiles.nth(1)));
  check((await whole(page.locator("h1"))) && two && (await whole(page.locator(".row").first())), `${name}: state, cameras and newest visit in the first view`);
}

async function take(browser, address, scene, real, views) {
  const { name, lang, width, dark, path = "", before } = scene;
  if (!only.test(name)) return;
  const [w, h] = SIZES[width];
  const options = { viewport: { width: w, height: h }, locale: lang === "fr" ? "fr-FR" : "en-GB", colorScheme: dark ? "dark" : "light", ...(w < 500 ? { isMobile: true, hasTouch: true } : {}) };
  const { page, faults, close } = await open(browser, address, { ...options, stage: (page) => stage(page, scene, real, views), path: `/#/${path}` });
  await page.locator("h1:visible").first().waitFor();
  if (!/loading|waiting|broken/.test(name)) await page.waitForTimeout(900);
  else await page.waitForTimeout(500);
  await before?.(page);
  await fits(page, name);
  await audit(page, name);
  if (w === 360 && path === "" && !scene.state.match(/loading|waiting|empty|broken|offline/)) await firstView(page, name);
  await page.screenshot({ path: join(out, `${name}.${png ? "png" : "jpg"}`), ...(png ? {} : { quality: 80 }) });
  const bad = faults.filter((fault) => !/503|ERR_/.test(fault));
  check(bad.length === 0, `${name}: no error${bad.map((fault) => ` [${fault}]`).join("")}`);
  await close();
}

function scenes() {
  const all = [];
  const add = (name, scene) => all.push({ name, lang: "en", width: 1280, dark: false, n: 4, state: "well", ...scene });
  for (const n of [1, 4, 16]) {
    for (const width of Object.keys(SIZES)) {
      for (const dark of [false, true]) {
        for (const lang of ["en", "fr"]) add(`home-${n}-${width}-${dark ? "dark" : "light"}-${lang}`, { n, width, dark, lang });
      }
    }
  }
  for (const state of ["fault", "somebody", "paused", "some", "loading", "waiting", "empty", "broken"]) {
    for (const [width, dark, lang] of [[360, true, "fr"], [1280, false, "en"]]) {
      const n = state === "fault" ? 16 : 4;
      add(`${state}-${n}-${width}-${dark ? "dark" : "light"}-${lang}`, { state, n, width, dark, lang });
    }
  }
  const away = async (page) => {
    await page.route(/\/api\//, (route) => route.abort());
    await page.reload();
    await page.locator(".state.fault").waitFor();
  };
  const incident = "incident/01990000-0000-7000-8000-000000000001";
  const play = async (page) => {
    await page.waitForFunction(() => document.querySelector(".incident video")?.currentTime > 1.2, null, { timeout: 20_000 });
    await page.evaluate(() => document.querySelector(".incident video").pause());
    await page.waitForTimeout(200);
  };
  const film = (page) => page.waitForFunction(() => document.querySelector(".film video")?.readyState > 1, null, { timeout: 20_000 });
  const pause = (page) => page.locator(".menu button").first().click();
  for (const [width, dark, lang] of [[360, false, "en"], [360, true, "fr"], [768, true, "en"], [1280, false, "en"], [1920, true, "fr"]]) {
    const look = `${width}-${dark ? "dark" : "light"}-${lang}`;
    add(`large-${look}`, { width, dark, lang, path: "camera/home/c1" });
    add(`incident-${look}`, { width, dark, lang, path: incident, before: play });
    add(`kept-${look}`, { width, dark, lang, state: "kept", path: incident, before: play });
    add(`keep-${look}`, { width, dark, lang, path: incident, before: (page) => page.locator(".doing button").first().click() });
    add(`delete-${look}`, { width, dark, lang, path: incident, before: (page) => page.locator("button.risk").click() });
    add(`timeline-${look}`, { width, dark, lang, path: "timeline/home/c0", before: film });
    add(`timeline-gap-${look}`, { width, dark, lang, path: "timeline/home/c0", before: (page) => page.locator(".lane input").fill(String(Date.UTC(2026, 10, 29, 12, 42))) });
    add(`timeline-save-${look}`, { width, dark, lang, path: "timeline/home/c0", before: (page) => page.locator(".steps button").last().click() });
    add(`settings-${look}`, { width, dark, lang, path: "settings" });
    add(`pause-${look}`, { width, dark, lang, before: pause });
  }
  for (const [width, dark, lang] of [[360, true, "fr"], [1280, false, "en"]]) add(`offline-${width}-${dark ? "dark" : "light"}-${lang}`, { state: "offline", width, dark, lang, before: away });
  return all;
}

/** Ten thousand incidents: the page has the rows near the window alone, and the way back up is whole. */
async function longList(browser, address, real, views) {
  if (!only.test("long-list")) return;
  const scene = { name: "long-list", lang: "en", n: 4, state: "well" };
  const all = 10_000;
  const one = (at) => ({ ...happened("en", 4, "well", real)[0], id: `01990000-0000-7000-8000-${String(at).padStart(12, "0")}`, camera: `c${at % 4}`, start: NOW - at * 600_000, end: NOW - at * 600_000 + 9000, zones: [] });
  const prepare = async (page) => {
    await stage(page, scene, real, views);
    await page.route(/\/api\/incidents\?/, (route) => {
      const from = Number(new URL(route.request().url()).searchParams.get("before") ?? 0);
      const list = Array.from({ length: Math.min(24, all - from) }, (_, at) => one(from + at));
      return route.fulfill({ json: { v: 1, incidents: list, next: from + 24 < all ? String(from + 24) : null } });
    });
  };
  const { page, close } = await open(browser, address, { viewport: { width: 360, height: 740 }, stage: prepare });
  await page.locator(".row").first().waitFor();
  const first = await page.locator(".row").first().getAttribute("href");
  let most = 0;
  const far = await until("hundreds of rows", async () => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    most = Math.max(most, await page.locator(".row").count());
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    return height > 30_000 && height;
  });
  check(true, `a long list grows as it is read (${far} px)`);
  check(most < 200, `and the page has the rows near the window alone (${most} at most)`);
  await page.evaluate(() => scrollTo(0, 0));
  await until("the first row", async () => (await page.locator(".row").first().getAttribute("href")) === first, 10_000);
  check(await page.locator(".row").first().isVisible(), "the way back up is whole");
  await close();
}

async function look(browser, address) {
  const { page, close } = await open(browser, address, { viewport: { width: 800, height: 600 } });
  // A visit a minute: several are worth the wait only for the documents' pictures.
  const enough = argument("pictures", null) ? 3 : 1;
  const real = await until("visits of the demo", async () => {
    const whole = (await incidents(page)).filter(({ crop, clip }) => crop && clip.state === "complete");
    return whole.length >= enough && whole;
  }, 300_000);
  const views = await stills(page);
  await close();
  await longList(browser, address, real, views);
  for (const scene of scenes()) await take(browser, address, scene, real, views);
}

if (!browserPath) {
  console.log("page: SKIPPED: no Chromium here (apt install chromium)");
  rmSync(scratch, { recursive: true });
  process.exit(0);
}
mkdirSync(out, { recursive: true });
const browser = await chromium.launch({ executablePath: browserPath, args: FLAGS });
const given = argument("page", null);
try {
  const { page, end } = given ? { page: given, end: async () => {} } : await demo();
  try {
    await look(browser, page);
  } finally {
    await end();
  }
} catch (error) {
  check(false, error.message);
} finally {
  await browser.close();
  rmSync(scratch, { recursive: true, force: true });
}
console.log(failed() === 0 ? "page: every scene holds" : `page: ${failed()} FAILED`);
process.exit(failed() === 0 ? 0 : 1);
