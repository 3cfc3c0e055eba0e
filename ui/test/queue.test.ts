import assert from "node:assert/strict";
import { test } from "node:test";

import { Queue } from "../src/parts/queue";

const turn = () => new Promise((done) => setTimeout(done));

/** A queue whose loads end by hand, and what has begun. */
function rig() {
  let now = 0;
  const began: string[] = [];
  const ends: Record<string, () => void> = {};
  const queue = new Queue(() => now);
  const add = (name: string, top: number) =>
    queue.add(
      () => top,
      () => {
        began.push(name);
        return new Promise((done) => (ends[name] = done));
      },
    );
  const end = async (name: string, took: number) => {
    now += took;
    ends[name]!();
    await turn();
  };
  return { began, add, end };
}

test("over a slow link one at a time, the upper ones first", async () => {
  const { began, add, end } = rig();
  add("third", 900);
  add("first", 0);
  add("second", 400);
  await turn();
  assert.deepEqual(began, ["first"]);
  await end("first", 700);
  assert.deepEqual(began, ["first", "second"]);
  await end("second", 700);
  assert.deepEqual(began, ["first", "second", "third"]);
});

test("over a quick one three at a time, and what has left the page is not loaded", async () => {
  const { began, add, end } = rig();
  const leave = ["a", "b", "c", "d", "e", "f"].map((name, at) => add(name, at));
  await turn();
  leave[2]!();
  await end("a", 20);
  assert.deepEqual(began, ["a", "b", "d", "e"]);
  await end("b", 20);
  assert.deepEqual(began, ["a", "b", "d", "e", "f"]);
});

test("one that fails does not hold up the others", async () => {
  const queue = new Queue(() => 0);
  let loaded = false;
  queue.add(() => 0, () => Promise.reject(new Error("gone")));
  queue.add(() => 1, async () => void (loaded = true));
  await turn();
  assert.ok(loaded);
});
