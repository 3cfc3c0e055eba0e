// What the steps of page.mjs stand on: programs, a page in a browser, and what can be seen there.

import axe from "axe-core";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
export const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
export const program = resolve(argument("lares", join(root, "target/release/lares")));
export const video = resolve(argument("video", join(root, "samples/video/visits.mp4")));
const pictures = argument("pictures", null);
export const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

const PATIENCE = 90_000;
export const scratch = mkdtempSync(join(tmpdir(), "lares-page-"));
let failures = 0;
export const failed = () => failures;

export function check(holds, what) {
  console.log(`page: ${holds ? "ok" : "FAILED"}: ${what}`);
  if (!holds) failures += 1;
}

export async function until(what, answer, within = PATIENCE) {
  const end = Date.now() + within;
  for (;;) {
    const found = await answer();
    if (found) return found;
    if (Date.now() > end) throw new Error(`no ${what} within ${within / 1000} s`);
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Starts the program with `args` in a folder of its own; what it says, and its end. */
export function start(args, home) {
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, TMPDIR: home } });
  let said = "";
  child.stdout.on("data", (piece) => (said += piece));
  const ended = new Promise((gone) => child.on("exit", gone));
  return { child, ended, said: () => said };
}

/** Waits for what `pattern` finds in what it says. */
export const says = (running, pattern) =>
  until(`${pattern}`, () => {
    if (running.child.exitCode !== null) throw new Error(`it ended with ${running.child.exitCode}: ${running.said()}`);
    return pattern.exec(running.said())?.[1];
  });

/** The demo; the page's address, and how to end it. */
export async function demo() {
  const home = mkdtempSync(join(scratch, "demo-"));
  const running = start(["demo", "--for", "20min", "--video", video, "--out", join(home, "store")], home);
  const page = await says(running, /^page\s+(\S+)$/m);
  const end = async () => {
    running.child.kill("SIGTERM");
    await running.ended;
    const last = running.said().trim().split("\n").at(-1);
    check(/^demo: \d+ incidents alerted/.test(last), `the demo ends in good order (${last})`);
    const port = /^broker\s+mqtt:.*:(\d+)$/m.exec(running.said())[1];
    const left = spawnSync("pgrep", ["-f", `^mosquitto.*-p ${port}`], { encoding: "utf8" }).stdout;
    check(left === "", `and leaves no program behind (${left.trim()})`);
  };
  return { page, end };
}

export const ACCOUNT = { name: "anna", password: "correct horse battery" };
/** Hosts whose page asks for a login. */
const asking = new Set();
export const asks = (host) => asking.add(host);

/** A household of two cameras, one of which sends H.265, whose box sends its alerts to another broker than the hub's. */
export async function twoCameras() {
  const home = mkdtempSync(join(scratch, "home-"));
  const cameras = start(["camera", "--listen", "127.0.0.1:0", video, join(root, "samples/video/vtest-h265.mp4")], home);
  await says(cameras, /^(ready)$/m);
  const [door, street] = [...cameras.said().matchAll(/^camera \d+ (\S+)/gm)].map((found) => found[1]);
  const [page, broker, store, web, other] = await Promise.all([freePort(), freePort(), freePort(), freePort(), freePort()]);
  const foreign = spawn("mosquitto", ["-p", String(other)], { stdio: "ignore" });
  const config = join(home, "lares.toml");
  writeFileSync(
    config,
    `version = 2
site = "home"
data_dir = "data"
[[cameras]]
id = "door"
name = "Front door"
url = "${door}"
[[cameras]]
id = "street"
name = "Street"
url = "${street}"
[models]
dir = "${join(root, "models")}"
[web]
listen = "127.0.0.1:${web}"
[mqtt]
url = "mqtt://127.0.0.1:${other}"
[hub]
enabled = true
listen = "127.0.0.1:${page}"
broker_listen = "127.0.0.1:${broker}"
store_listen = "127.0.0.1:${store}"
`,
  );
  const added = spawnSync(program, ["hub", "--config", config, "account", "add", ACCOUNT.name], { cwd: root, input: `${ACCOUNT.password}\n`, encoding: "utf8" });
  check(added.status === 0, `an owner is made on the box (${added.stderr.trim()})`);
  const agent = start(["run", "--config", config], home);
  await until("page of the household", () => fetch(`http://127.0.0.1:${page}/api/session`).then((answer) => answer.ok, () => false));
  const end = async () => {
    agent.child.kill("SIGTERM");
    check((await agent.ended) === 0, "the agent ends in good order");
    cameras.child.kill("SIGTERM");
    await cameras.ended;
    foreign.kill("SIGTERM");
  };
  asking.add(`127.0.0.1:${page}`);
  return { page: `http://127.0.0.1:${page}`, end };
}

export const freePort = () =>
  new Promise((found) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });

export const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
];

/** A build of the page that is tried before the program carries it. */
const dist = argument("dist", null);
const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml", png: "image/png", webmanifest: "application/manifest+json" };

async function fromDist(context, host) {
  await context.route(
    (url) => url.host === host && !/^\/(api|media)\//.test(url.pathname),
    (route) => {
      const name = new URL(route.request().url()).pathname.slice(1) || "index.html";
      if (!existsSync(join(dist, name))) return route.fulfill({ status: 404 });
      return route.fulfill({ body: readFileSync(join(dist, name)), contentType: TYPES[name.split(".").pop()] ?? "text/plain" });
    },
  );
}

/** A page in a window of its own. What it must not do is noted. `stage` prepares it, `path` is where it begins. */
export async function open(browser, address, { stage = async () => {}, path = "", ...options }) {
  const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...options });
  if (dist) await fromDist(context, new URL(address).host);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await stage(page);
  const faults = [];
  const host = new URL(address).host;
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["blob:", "data:"].includes(url.protocol) && url.host !== host) faults.push(`asked ${url.host}`);
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/404|409/.test(message.text())) faults.push(message.text());
  });
  await page.goto(address + path);
  if (asking.has(host)) {
    await page.getByLabel("Name").fill(ACCOUNT.name);
    await page.getByLabel("Password").fill(ACCOUNT.password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Log in" }).waitFor({ state: "detached" });
  }
  return { page, faults, close: () => context.close() };
}

/** Faults that axe-core finds serious or worse. */
export async function audit(page, what) {
  await page.evaluate(axe.source).catch(async () => page.addScriptTag({ content: axe.source }));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  check(bad.length === 0, `axe-core on ${what}${bad.map(({ id, nodes }) => ` [${id}: ${nodes[0].html.slice(0, 120)}]`).join("")}`);
}

export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(over <= 0, `${what} needs no sideways scrolling (${over})`);
}

/** A picture for the documents. The scene is OpenCV's sample data, which may be shown: docs/pictures/README.md names it. */
export async function picture(page, name, fullPage = false) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage });
}

/** Mean light, 0 to 255, of a part (in shares of its size) of the picture at `address`; without one, of the open clip. */
export const lightOf = (page, address, [x0, y0, x1, y1]) =>
  page.evaluate(
    async ([address, x0, y0, x1, y1]) => {
      const shown = address ? await createImageBitmap(await (await fetch(address)).blob()) : document.querySelector(".incident video");
      const [width, height] = [shown.videoWidth ?? shown.width, shown.videoHeight ?? shown.height];
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.drawImage(shown, 0, 0);
      const [w, h] = [Math.max(1, (x1 - x0) * width), Math.max(1, (y1 - y0) * height)];
      const { data } = context.getImageData(x0 * width, y0 * height, w, h);
      let light = 0;
      for (let at = 0; at < data.length; at += 4) light += data[at] + data[at + 1] + data[at + 2];
      return light / ((data.length / 4) * 3);
    },
    [address, x0, y0, x1, y1],
  );
const WHOLE = [0, 0, 1, 1];

/** Where the open clip is, and how long; null while it shows no picture. */
export const playing = (page) =>
  page.evaluate(() => {
    const element = document.querySelector(".incident video");
    return element && element.readyState >= 2 ? { at: element.currentTime, length: element.duration } : null;
  });

export async function plays(page, what) {
  const lit = async () => {
    const now = await playing(page);
    return now && { ...now, light: await lightOf(page, null, WHOLE) };
  };
  const first = await until(`picture of ${what}`, () => lit().then((now) => now && now.light > 5 && now), 30_000);
  const later = await until(`progress of ${what}`, () => lit().then((now) => now && now.at > first.at + 0.5 && now), 30_000);
  check(later.light > 5, `${what} plays: at ${first.at.toFixed(1)} s, then ${later.at.toFixed(1)} s, light ${later.light.toFixed(0)} of 255`);
}

export const incidents = (page) => page.evaluate(async () => (await (await fetch("/api/incidents")).json()).incidents);
