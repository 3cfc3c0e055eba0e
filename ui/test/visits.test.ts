import assert from "node:assert/strict";
import { test } from "node:test";

import type { Incident } from "../src/api";
import { inOrder, moved, urgentFirst } from "../src/order";
import { isSeen, MOST, readMarks, withSeen } from "../src/seen";
import { lengthOf, LONGEST_MS, neighbours, TOGETHER_MS, visitsOf } from "../src/visits";

const incident = (id: string, start: number, end: number | null, change: Partial<Incident> = {}) =>
  ({ id, site: "home", camera: "door", label: "person", state: "ended", start, end, ...change }) as Incident;

const day = (ms: number) => (ms < 10_000_000 ? "monday" : "tuesday");

test("who comes again soon is one visit, and another camera or kind is another", () => {
  const visits = visitsOf(
    [
      incident("e", 650_000, null, { state: "began" }),
      incident("d", 500_000, 520_000, { camera: "yard" }),
      incident("c", 480_000, 600_000),
      incident("b", 470_000, 475_000, { label: "car" }),
      incident("a", 100_000, 480_000 - TOGETHER_MS),
      incident("z", 10_000, 100_000 - TOGETHER_MS - 1),
    ],
    day,
  );
  assert.deepEqual(visits.map(({ incidents }) => incidents.map(({ id }) => id).join("")), ["eca", "d", "b", "z"]);
  assert.equal(lengthOf(visits[0]!), null, "it goes on");
  assert.equal(lengthOf(visits[1]!), 20);
});

test("a busy door is several visits, and a new incident changes the newest one alone", () => {
  const minute = 60_000;
  const busy = Array.from({ length: 30 }, (_, at) => incident(`i${29 - at}`, (29 - at) * minute, (29 - at) * minute + 9000));
  const groups = (list: Incident[]) => visitsOf(list, day).map(({ incidents }) => incidents.length);
  assert.deepEqual(groups(busy), [8, 11, 11]);
  assert.deepEqual(groups(busy.slice(1)), [7, 11, 11]);
  assert.ok(visitsOf(busy, day).every((visit) => visit.incidents[0].start - visit.start <= LONGEST_MS));
});

test("no visit reaches over the end of a day", () => {
  assert.equal(visitsOf([incident("b", 10_000_001, 10_000_002), incident("a", 9_999_990, 9_999_999)], day).length, 2);
});

test("the incidents before and after, also of one that is not in the list", () => {
  const list = [incident("c", 30, 31), incident("b", 20, 21), incident("a", 10, 11)];
  const ids = (of: Incident) => {
    const { earlier, later } = neighbours(list, of);
    return [earlier?.id ?? null, later?.id ?? null];
  };
  assert.deepEqual(ids(list[1]!), ["a", "c"]);
  assert.deepEqual(ids(list[0]!), ["b", null]);
  assert.deepEqual(ids(incident("x", 25, 26)), ["b", "c"]);
  assert.deepEqual(ids(incident("x", 5, 6)), [null, "a"]);
  assert.deepEqual(neighbours([], list[0]!), { earlier: null, later: null });
});

test("what was there before the first visit of the page counts as seen, and so does what was opened", () => {
  const marks = readMarks(null, 1000);
  assert.equal(isSeen(marks, incident("old", 999, null)), true);
  const fresh = incident("new", 1001, null);
  assert.equal(isSeen(marks, fresh), false);
  assert.equal(isSeen(withSeen(marks, [fresh]), fresh), true);
  assert.equal(withSeen(marks, [incident("old", 999, null)]), marks, "nothing new to remember");
  assert.deepEqual(readMarks('{"from":5,"ids":["a",7]}', 1000), { from: 5, ids: ["a"] });
  assert.deepEqual(readMarks("rubbish", 1000), { from: 1000, ids: [] });
  const many = withSeen(marks, Array.from({ length: MOST + 9 }, (_, at) => incident(`i${at}`, 2000 + at, null)));
  assert.equal(many.ids.length, MOST);
});

test("cameras stand as they were put, and new ones come last", () => {
  const cameras = ["a", "b", "c"].map((id) => ({ site: "home", id }));
  const ids = (list: { id: string }[]) => list.map(({ id }) => id).join("");
  assert.equal(ids(inOrder(cameras, ["home/c", "home/gone", "home/a"])), "cab");
  assert.deepEqual(moved(cameras, "home/c", -1), ["home/a", "home/c", "home/b"]);
  assert.deepEqual(moved(cameras, "home/a", -1), ["home/a", "home/b", "home/c"]);
  assert.deepEqual(moved(cameras, "home/b", 9), ["home/a", "home/c", "home/b"]);
  assert.equal(ids(urgentFirst(cameras as never, ({ id }) => id === "b")), "bac");
});
