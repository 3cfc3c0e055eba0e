import assert from "node:assert/strict";
import { test } from "node:test";

import { bounds, dayAfter, fieldTime, instant } from "../src/day";
import { timeIn } from "../src/recordings";

const HOUR = 3_600_000;

test("a day of the house has the hours that its clocks show", () => {
  const hours = (day: string, zone: string) => {
    const [from, to] = bounds(day, zone);
    return (to - from) / HOUR;
  };
  assert.deepEqual(bounds("2026-02-02", "UTC"), [Date.UTC(2026, 1, 2), Date.UTC(2026, 1, 3)]);
  assert.equal(bounds("2026-02-02", "Europe/Paris")[0], Date.UTC(2026, 1, 1, 23));
  assert.equal(bounds("2026-02-02", "Pacific/Auckland")[0], Date.UTC(2026, 1, 1, 11));
  assert.equal(hours("2026-03-29", "Europe/Paris"), 23);
  assert.equal(hours("2026-10-25", "Europe/Paris"), 25);
  assert.equal(dayAfter("2026-12-31"), "2027-01-01");
});

test("a time of a form is the instant that the house's clock shows", () => {
  const noon = Date.UTC(2026, 6, 1, 10, 0, 5);
  assert.equal(fieldTime(noon, "Europe/Paris"), "12:00:05");
  assert.equal(instant("2026-07-01", "12:00:05", "Europe/Paris"), noon);
  assert.equal(instant("2026-07-01", "12:00", "Europe/Paris"), noon - 5000);
  // After a clock was set in the night.
  assert.equal(instant("2026-03-29", "12:00:00", "Europe/Paris"), Date.UTC(2026, 2, 29, 10));
  for (const odd of ["", "noon", "1:2:3"]) assert.equal(instant("2026-07-01", odd, "UTC"), null);
});

test("what is missing takes no time in a film", () => {
  const timeline = { spans: [{ from: 0, to: 60_000 }, { from: 100_000, to: 200_000 }], gaps: [] };
  assert.equal(timeIn(timeline, 30_000, 10), 40_000);
  assert.equal(timeIn(timeline, 30_000, 40), 110_000);
  assert.equal(timeIn(timeline, 80_000, 5), 105_000);
  assert.equal(timeIn(timeline, 150_000, 999), 200_000);
});
