import assert from "node:assert/strict";
import { test } from "node:test";

import type { Camera, House, Incident } from "../src/api";
import { isNewer, join, put } from "../src/list";
import { boxProblems, cameraSentence, durationOf, houseSentence, incidentDetails, toneOf } from "../src/sentences";
import { clockTime, dayBefore, dayInWords, dayOf } from "../src/time";
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
  crop: null,
  clip: { state: "none", segments: 0, bytes: 0, playlist: null, codec: null, download: null, parts: 0 },
  ...change,
});

test("the house in one sentence, in both languages", () => {
  const paused = camera({ id: "yard", mode: "disarmed", state: "suspended" });
  const said = (of: House) => [houseSentence(of, en), houseSentence(of, fr)].map(({ tone, text }) => `${tone}: ${text}`);
  assert.deepEqual(said(house([camera()])), ["good: Everything is watched.", "good: Tout est surveillé."]);
  assert.deepEqual(said(house([camera(), paused])), [
    "good: 1 of 2 cameras are watching, the others are paused.",
    "good: 1 caméra sur 2 surveille, les autres sont en pause.",
  ]);
  assert.equal(houseSentence(house([paused]), en).tone, "paused");
  assert.equal(houseSentence(house([camera({ state: "offline" })]), en).tone, "problem");
  assert.equal(houseSentence(house([camera()], { silent: true }), en).tone, "problem");
  assert.equal(houseSentence(house([camera({ person: true })]), fr).text, "Il y a quelqu’un en ce moment : Door.");
});

test("a camera in one sentence", () => {
  assert.equal(cameraSentence(camera({ motion: true }), en), "Door is watching. Something is moving.");
  assert.equal(cameraSentence(camera({ state: "suspended" }), fr), "Door est en pause : rien n’est regardé ni gardé.");
  assert.equal(cameraSentence(camera({ state: "unknown", mode: "disarmed" }), en), "Door: its box cannot be reached.");
  assert.equal(toneOf(camera({ problem: "the camera's clock jumps" })), "problem");
});

test("silence of a box is told before what it said last", () => {
  assert.deepEqual(boxProblems(house([], { silent: true, problems: ["old"] }), en).length, 1);
  assert.deepEqual(boxProblems(house([], { problems: ["the disk is full"] }), en), ["the disk is full"]);
});

test("how long, where and which rules", () => {
  assert.equal(durationOf(0.2, en), "1 second");
  assert.equal(durationOf(89, fr), "89 secondes");
  assert.equal(durationOf(150, en), "3 minutes");
  const seen = incident({ seconds: 8.4, zones: ["gate", "lawn"], rules: [{ rule: "loitered", name: "gate" }, { rule: "crossed-to-left", name: "fence" }] });
  assert.deepEqual(incidentDetails(seen, en), ["for 8 seconds", "in gate, lawn", "stayed long in gate", "crossed fence"]);
  assert.deepEqual(incidentDetails(incident(), fr), ["Encore là"]);
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

test("days and times are those of the house", () => {
  const late = Date.UTC(2026, 1, 2, 23, 30);
  assert.equal(dayOf(late, "Europe/Paris"), "2026-02-03");
  assert.equal(dayOf(late, "America/New_York"), "2026-02-02");
  assert.equal(clockTime(late, "Europe/Paris", "fr"), "00:30");
  assert.equal(dayInWords("2026-02-02", "fr"), "lundi 2 février");
  // With a comma or without: that is the browser's affair.
  assert.match(dayInWords("2026-02-02", "en"), /^Monday,? 2 February$/);
  assert.equal(dayBefore("2026-03-01"), "2026-02-28");
});
