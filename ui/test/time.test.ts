import assert from "node:assert/strict";
import { test } from "node:test";

import { clockTime, dayBefore, dayInWords, dayOf, duration, fullTime } from "../src/time";

const late = Date.UTC(2026, 1, 2, 23, 30, 5);

test("days and times are those of the house", () => {
  assert.equal(dayOf(late, "Europe/Paris"), "2026-02-03");
  assert.equal(dayOf(late, "America/New_York"), "2026-02-02");
  assert.equal(clockTime(late, "Europe/Paris", "en"), "00:30");
  assert.equal(clockTime(late, "Europe/Paris", "fr"), "0\u00a0h\u00a030");
  assert.equal(fullTime(late, "UTC", "en"), "2\u00a0February, 23:30:05");
  assert.equal(fullTime(late, "UTC", "fr"), "2\u00a0février, 23\u00a0h\u00a030\u00a0min\u00a005\u00a0s");
  assert.equal(dayInWords("2026-02-02", "fr"), "lundi 2 février");
  // With a comma or without: that is the browser's affair.
  assert.match(dayInWords("2026-02-02", "en"), /^Monday,? 2 February$/);
  assert.equal(dayBefore("2026-03-01"), "2026-02-28");
});

test("a time or a zone that nobody can tell is no error", () => {
  for (const odd of [9e15, -9e15, Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1]) {
    assert.equal(dayOf(odd, "Europe/Paris"), "");
    assert.equal(clockTime(odd, "Europe/Paris", "fr"), "–");
    assert.equal(fullTime(odd, "Europe/Paris", "en"), "–");
  }
  assert.equal(dayOf(late, "Nowhere/Land"), "2026-02-02");
  for (const day of ["", "275760-09-13", "soon"]) {
    assert.equal(dayInWords(day, "en"), day || "–");
    assert.equal(dayBefore(day), "");
  }
  assert.equal(duration(Number.NaN), "–");
});

test("how long, to what matters", () => {
  const said = [0.2, 21, 59.4, 60, 95, 149, 599, 600, 3599, 3600, 7500].map(duration).map((text) => text.replaceAll("\u00a0", " "));
  assert.deepEqual(said, ["1 s", "21 s", "59 s", "1 min", "1 min 35 s", "2 min 29 s", "9 min 59 s", "10 min", "1 h", "1 h", "2 h 5 min"]);
});
