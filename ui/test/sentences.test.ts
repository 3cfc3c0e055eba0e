import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join as path } from "node:path";
import { test } from "node:test";

import type { Camera, House, Incident } from "../src/api";
import { goingOn, isNewer, join, put, renewed } from "../src/list";
import { REASONS, reasonOf } from "../src/reasons";
import { becauseOf, deedOf, faultsOf, houseSentence, incidentTitle, tileOf, toneOf, whereOf } from "../src/sentences";
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
  score: 0.9,
  zones: [],
  rules: [],
  test: false,
  kept: null,
  false_alarm: null,
  deletable: true,
  picture: null,
  small: null,
  crop: null,
  clip: { state: "none", segments: 0, bytes: 0, playlist: null, codec: null, download: null, parts: 0 },
  ...change,
});

const UNREACHABLE = "camera 10.0.0.2 cannot be reached on port 554: check that it is switched on";

test("the house in one sentence, in both languages", () => {
  const paused = camera({ id: "yard", mode: "disarmed", state: "suspended" });
  const said = (of: House) => [houseSentence(of, [], en), houseSentence(of, [], fr)].map(({ tone, text, detail }) => `${tone}: ${text} ${detail}`);
  assert.deepEqual(said(house([camera()])), ["good: All quiet. The camera is on.", "good: Tout est calme. La caméra est en marche."]);
  assert.deepEqual(said(house([camera(), camera({ id: "yard" })])), [
    "good: All quiet. 2\u00a0cameras are on.",
    "good: Tout est calme. Les 2\u00a0caméras sont en marche.",
  ]);
  assert.deepEqual(said(house([camera(), paused])), [
    "good: All quiet. 1 of 2\u00a0cameras is on, the others are paused.",
    "good: Tout est calme. 1\u00a0caméra sur 2 est en marche, les autres sont en pause.",
  ]);
  const all = houseSentence(house([paused, paused]), [], en);
  assert.deepEqual([all.tone, all.text, all.detail], ["paused", "All cameras are paused.", "Nothing is filmed or saved."]);
  assert.equal(houseSentence(house([]), [], en).text, "No camera yet.");
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
  assert.equal(houseSentence(house([camera()]), now, en).text, "Car: Door");
  assert.equal(houseSentence(house([camera()]), now, fr).text, "Voiture\u00a0: Door");
  const both = [camera({ person: true }), camera({ id: "yard", name: "Yard" })];
  assert.equal(houseSentence(house(both), [incident({ label: "dog", camera: "yard" })], en).text, "Somebody at: Door · Dog: Yard");
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

test("a tile shows its picture, or why there is none", () => {
  assert.equal(tileOf(camera({ motion: true }), true), "picture");
  assert.equal(tileOf(camera({ person: true }), true), "somebody");
  assert.equal(tileOf(camera({ state: "suspended" }), true), "paused");
  assert.equal(tileOf(camera({ state: "offline" }), true), "fault");
  assert.equal(tileOf(camera({ state: "unknown", mode: "disarmed" }), true), "away");
  // The page hears nothing: no picture is of now, and the fault is not the camera's.
  for (const state of ["online", "offline", "suspended"] as const) assert.equal(tileOf(camera({ state }), false), "away");
  // A fault beside the picture takes no picture away.
  assert.equal(tileOf(camera({ problem: "the camera's clock jumps" }), true), "picture");
  assert.equal(toneOf(camera({ problem: "the camera's clock jumps" })), "problem");
});

test("who came where, and why it was reported, in one sentence", () => {
  const seen = incident({ zones: ["gate", "lawn"], rules: [{ rule: "crossed-to-left", name: "fence" }, { rule: "loitered", name: "gate" }] });
  assert.equal(becauseOf(seen, "Door", en), "Reported because a person stayed long in gate.");
  assert.equal(becauseOf({ ...seen, rules: seen.rules.slice(0, 1) }, "Door", en), "Reported because a person crossed fence.");
  assert.equal(becauseOf({ ...seen, rules: [] }, "Door", en), "Reported because a person was in gate, lawn.");
  assert.equal(becauseOf(incident({ label: "goat" }), "Door", en), "Reported because something was seen by Door.");
  assert.equal(becauseOf(incident({ label: "car" }), "Allée", fr), "Signalé parce que la caméra «\u00a0Allée\u00a0» a vu une voiture.");
  assert.equal(whereOf(["gate", "gate", "lawn"], "Door"), "Door, gate, lawn");
  assert.equal(incidentTitle(seen, "Door (farm)", en), "Person, Door (farm)");
  assert.equal(incidentTitle(seen, "Door", fr), "Personne, Door");
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
  const deleted = deedOf("delete", "home/shop 01990000-0000-7000-8000-000000000001", name, en);
  assert.deepEqual(deleted, { text: "deleted a visit", incident: null, detail: "SHOP" });
  assert.equal(deedOf("keep", "home/shop 01990000-0000-7000-8000-000000000001", name, fr).text, "a gardé un passage");
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

test("a first page that is sent again leaves what was scrolled to, unless there is a gap", () => {
  const at = (start: number) => incident({ id: `i${start}`, start });
  const list = [at(50), at(40), at(30), at(20)];
  const ids = (page: { incidents: Incident[] }) => page.incidents.map(({ start }) => start);
  const near = renewed(list, "20.x", { incidents: [at(60), at(50)], next: "50.x" });
  assert.deepEqual([ids(near), near.next], [[60, 50, 40, 30, 20], "20.x"]);
  // One that is gone from the page is gone; what lies between is not known, so the list begins again.
  assert.deepEqual(ids(renewed(list, "20.x", { incidents: [at(60), at(40)], next: "40.x" })), [60, 40, 30, 20]);
  const far = renewed(list, "20.x", { incidents: [at(90), at(80)], next: "80.x" });
  assert.deepEqual([ids(far), far.next], [[90, 80], "80.x"]);
  assert.deepEqual(ids(renewed(list, null, { incidents: [at(50)], next: null })), [50]);
});
