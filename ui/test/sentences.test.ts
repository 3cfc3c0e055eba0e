import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join as path } from "node:path";
import { test } from "node:test";

import type { Camera, House, Incident } from "../src/api";
import { goingOn, isNewer, join, put } from "../src/list";
import { REASONS, reasonOf } from "../src/reasons";
import { cameraSentence, deedOf, faultsOf, houseSentence, incidentDetails, incidentTitle, toneOf } from "../src/sentences";
import { en } from "../src/words/en";
import { fr } from "../src/words/fr";

const camera = (change: Partial<Camera> = {}): Camera => ({
  site: "home",
  id: "door",
  name: "Door",
  state: "online",
  problem: null,
  mode: "armed",
  person: false,
  motion: false,
  still: null,
  editable: true,
  ...change,
});

const house = (cameras: Camera[], site = {}): House => ({
  zone: "Europe/Paris",
  now: 0,
  sites: [{ id: "home", online: true, silent: false, heard: 0, local: true, problems: [], budget: null, ...site }],
  cameras,
});

const incident = (change: Partial<Incident> = {}): Incident => ({
  id: "a",
  site: "home",
  camera: "door",
  label: "person",
  state: "began",
  start: 1000,
  end: null,
  seconds: null,
  clock: "good",
  zones: [],
  rules: [],
  test: false,
  picture: null,
  small: null,
  crop: null,
  clip: { state: "none", segments: 0, bytes: 0, playlist: null, codec: null, download: null, parts: 0 },
  ...change,
});

const UNREACHABLE = "camera 10.0.0.2 cannot be reached on port 554: check that it is switched on";

test("the house in one sentence, in both languages", () => {
  const paused = camera({ id: "yard", mode: "disarmed", state: "suspended" });
  const said = (of: House) => [houseSentence(of, [], en), houseSentence(of, [], fr)].map(({ tone, text }) => `${tone}: ${text}`);
  assert.deepEqual(said(house([camera()])), ["good: All cameras are on.", "good: Toutes les caméras sont en marche."]);
  assert.deepEqual(said(house([camera(), paused])), [
    "good: 1 of 2 cameras is on, the others are paused.",
    "good: 1\u00a0caméra sur 2 est en marche, les autres sont en pause.",
  ]);
  assert.equal(houseSentence(house([paused]), [], en).tone, "paused");
  assert.equal(houseSentence(house([camera({ person: true })]), [], fr).text, "Quelqu’un\u00a0: Door");
});

test("somebody there is no good news, and no fault", () => {
  const told = houseSentence(house([camera({ person: true }), camera({ id: "yard", name: "Yard" })]), [], en);
  assert.deepEqual([told.tone, told.text], ["attention", "Somebody at: Door"]);
  assert.equal(toneOf(camera({ person: true })), "attention");
  // A fault elsewhere stands beneath it.
  const both = houseSentence(house([camera({ person: true }), camera({ id: "yard", name: "Yard", state: "offline", problem: UNREACHABLE })]), [], en);
  assert.deepEqual([both.tone, both.faults.map(({ about }) => about)], ["attention", ["Yard"]]);
});

test("a car is a car", () => {
  const now = [incident({ label: "car" })];
  assert.equal(houseSentence(house([camera()]), now, en).text, "A car: Door");
  assert.equal(houseSentence(house([camera()]), now, fr).text, "Une voiture\u00a0: Door");
  const both = [camera({ person: true }), camera({ id: "yard", name: "Yard" })];
  assert.equal(houseSentence(house(both), [incident({ label: "dog", camera: "yard" })], en).text, "Somebody at: Door · A dog: Yard");
  assert.equal(houseSentence(house([camera({ state: "offline" })]), now, en).tone, "problem", "a camera that is cut off says nothing of now");
});

test("what is wrong is named, with its reason in the reader's language", () => {
  const dark = camera({ state: "offline", problem: UNREACHABLE });
  const told = houseSentence(house([dark, camera({ id: "yard" })]), [], fr);
  assert.deepEqual([told.tone, told.text], ["problem", "Pas d’image de Door."]);
  assert.deepEqual(told.faults, [{ about: "Door", why: fr.why_unreachable, said: null, camera: dark }]);
  const two = [dark, { ...dark, id: "yard", name: "Yard" }];
  assert.equal(houseSentence(house(two), [], en).text, "No picture: Door, Yard.");
  const odd = houseSentence(house([camera({ problem: "it smokes" })]), [], fr);
  assert.deepEqual([odd.text, odd.faults[0]?.said], ["Quelque chose ne va pas\u00a0: Door.", "it smokes"]);
  const box = houseSentence(house([camera({ state: "unknown" })], { silent: true }), [], en);
  assert.match(box.text, /^The box “home” has not been heard from/);
  assert.deepEqual(box.faults, [], "what follows from it is not said again");
});

test("silence of a box is told before what it said last", () => {
  assert.equal(faultsOf(house([], { silent: true, problems: ["old"] }), en).length, 1);
  const [disk, other] = faultsOf(house([], { problems: ["the data disk is nearly full: free some space", "odd"] }), fr);
  assert.deepEqual([disk?.why, disk?.said, other?.why, other?.said], [fr.why_disk, null, null, "odd"]);
});

test("every reason that has words is one that the program gives", () => {
  const files = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const at = path(folder, entry.name);
      return entry.isDirectory() ? files(at) : at.endsWith(".rs") ? [at] : [];
    });
  const sources = files("../src").map((file) => readFileSync(file, "utf8")).join("\n");
  for (const [said, why] of REASONS) {
    assert.ok(sources.includes(said), said);
    assert.equal(reasonOf(`camera x ${said} y`, en), en[why]);
  }
});

test("a camera in one sentence", () => {
  assert.equal(cameraSentence(camera({ motion: true }), en), "Something is moving.");
  assert.equal(cameraSentence(camera({ state: "suspended" }), fr), "Rien n’est filmé ni enregistré.");
  assert.equal(cameraSentence(camera({ state: "unknown", mode: "disarmed" }), en), "Its box cannot be reached.");
  assert.equal(toneOf(camera({ problem: "the camera's clock jumps" })), "problem");
});

test("how long, where and which rules", () => {
  const seen = incident({ seconds: 8.4, zones: ["gate", "lawn"], rules: [{ rule: "loitered", name: "gate" }, { rule: "crossed-to-left", name: "fence" }] });
  assert.deepEqual(incidentDetails(seen, en), ["8\u00a0s", "in gate, lawn", "stayed long in gate", "crossed fence"]);
  assert.deepEqual(incidentDetails(incident(), fr), ["En ce moment"]);
  assert.equal(incidentTitle(seen, "Door (farm)", en), "A person at Door (farm)");
  assert.equal(incidentTitle(seen, "Door", fr), "Une personne (Door)");
});

test("the record says what was done in words, and leads to the visit", () => {
  const name = (_site: string, id: string) => id.toUpperCase();
  assert.equal(deedOf("mode", "home/shop armed", name, en).text, "turned SHOP on");
  assert.equal(deedOf("mode", "home/shop disarmed", name, fr).text, "a mis SHOP en pause");
  const clip = deedOf("clip", "home/shop 01990000-0000-7000-8000-000000000001", name, en);
  assert.deepEqual(clip, { text: "opened a clip", incident: "01990000-0000-7000-8000-000000000001", detail: "SHOP" });
  assert.deepEqual(deedOf("account", "ben added", name, en), { text: "added the account ben", incident: null, detail: "" });
  assert.deepEqual(deedOf("login-failed", "37 from 3", name, en), {
    text: "37 logins were refused within a minute, from 3 addresses",
    incident: null,
    detail: "",
  });
  assert.equal(deedOf("second", "off", name, en).text, "turned off login in two steps");
  assert.equal(deedOf("new-kind", "x", name, en).text, "new-kind");
});

test("news replace by id, the older never undo the newer, and the newest is first", () => {
  const clip = (segments: number) => ({ ...incident().clip, segments });
  const ended = incident({ state: "ended", clip: clip(3) });
  assert.equal(isNewer(ended, incident({ state: "updated", clip: clip(2) })), false);
  assert.equal(isNewer(ended, incident({ state: "ended", clip: clip(2) })), false);
  const list = put([ended], incident({ id: "b", start: 2000 }));
  assert.deepEqual(list.map(({ id }) => id), ["b", "a"]);
  assert.equal(put(list, incident({ state: "updated" }))[1], ended);
  assert.equal(put(list, incident({ state: "ended", clip: clip(4) }))[1]?.clip.segments, 4);
  assert.deepEqual(join(list, [ended, incident({ id: "c", start: 10 })]).map(({ id }) => id), ["b", "a", "c"]);
});

test("what is going on ends, or is forgotten where its end was lost", () => {
  const hour = 3_600_000;
  const began = goingOn([], [incident(), incident({ id: "b", state: "ended" })], 5000);
  assert.deepEqual(began.map(({ id }) => id), ["a"]);
  assert.equal(goingOn(began, [], 7 * hour).length, 0);
  assert.equal(goingOn(began, [incident({ state: "ended" })], 6000).length, 0);
});
