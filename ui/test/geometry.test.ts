import assert from "node:assert/strict";
import { test } from "node:test";

import type { Areas, Point } from "../src/api";
import { contains, moved, shareOf, svgPoints, withArea, withCorner, withZone, withoutArea } from "../src/areas/geometry";

const triangle: Point[] = [
  [0.1, 0.1],
  [0.9, 0.1],
  [0.5, 0.9],
];
const none: Areas = { version: "v", zones: [], motion_mask: [], privacy_mask: [] };

test("corners stay in the picture", () => {
  assert.deepEqual(shareOf(50, 50, 200, 100), [0.25, 0.5]);
  assert.deepEqual(shareOf(-5, 500, 200, 100), [0, 1]);
  assert.deepEqual(moved([0.99, 0.01], 0.02, -0.02), [1, 0]);
  assert.equal(withCorner(triangle, [0.5, 0.9]).length, 3, "twice the same");
  assert.equal(withCorner(triangle, [2, 2])[3]?.[0], 1);
});

test("what lies inside", () => {
  assert.equal(contains(triangle, [0.5, 0.4]), true);
  assert.equal(contains(triangle, [0.1, 0.9]), false);
  assert.equal(svgPoints(triangle), "100,100 900,100 500,900");
});

test("areas are added, named, changed and taken away", () => {
  assert.equal(withArea(none, "motion", triangle.slice(0, 2), ""), none, "two corners are no area");
  let areas = withArea(withArea(none, "zone", triangle, "Zone"), "zone", triangle, "Zone");
  assert.deepEqual(areas.zones.map(({ name }) => name), ["Zone", "Zone 2"]);
  areas = withZone(areas, 1, { required: true, loiter: 30 });
  assert.equal(areas.zones[1]?.loiter, 30);
  assert.equal(areas.zones[0]?.required, false);
  areas = withArea(withArea(areas, "privacy", triangle, ""), "motion", triangle, "");
  areas = withoutArea(withoutArea(areas, "zone", 0), "privacy", 0);
  assert.deepEqual([areas.zones.length, areas.privacy_mask.length, areas.motion_mask.length], [1, 0, 1]);
});
