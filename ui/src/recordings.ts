// What was recorded of a camera round the clock, and how far a film of it has come.
import { signal } from "@preact/signals";

import { at, Failure, hub, type Incident, type Recorded, type Timeline } from "./api";
import { complain } from "./state";

/** Cameras of this box that are recorded, or were; null while nobody knows. */
export const recorded = signal<Recorded[] | null>(null);

/** Asks which cameras are recorded. */
export async function askRecorded(): Promise<void> {
  try {
    recorded.value = (await hub.recordings()).cameras;
  } catch (error) {
    complain(error);
  }
}

/** Visits of a day are asked for in pages: a camera of a busy street has some. */
const PAGES = 10;

/** What is there of `camera` from `from` to `to`, and the visits of `day`. */
export async function ofDay(site: string, camera: string, day: string, from: number, to: number): Promise<{ timeline: Timeline; visits: Incident[] }> {
  const none: Timeline = { spans: [], gaps: [] };
  // Nothing was ever recorded, or no longer: the visits are shown all the same.
  const missing = (error: unknown) => {
    if (error instanceof Failure && (error.code === "not-found" || error.code === "conflict")) return none;
    throw error;
  };
  const timeline = await hub.timeline(camera, from, to).catch(missing);
  const visits: Incident[] = [];
  let before: string | null = "";
  for (let page = 0; page < PAGES && before !== null; page += 1) {
    const sent: { incidents: Incident[]; next: string | null } = await hub.incidents({ site, camera, day, ...(before ? { before } : {}) });
    visits.push(...sent.incidents);
    before = sent.next;
  }
  return { timeline, visits: visits.reverse() };
}

/** Where a film of `from` to `to` is played from, or saved. */
export function address(camera: string, what: "play.m3u8" | "export.mp4" | "export.json", from: number, to: number): string {
  return at(`/api/recordings/${encodeURIComponent(camera)}/${what}?from=${Math.floor(from)}&to=${Math.ceil(to)}`);
}

/** When it was that a film from `from` on shows after `seconds`: what is missing takes no time in it. */
export function timeIn(timeline: Timeline, from: number, seconds: number): number {
  let left = seconds * 1000;
  for (const span of timeline.spans) {
    if (span.to <= from) continue;
    const begins = Math.max(span.from, from);
    if (left <= span.to - begins) return begins + left;
    left -= span.to - begins;
  }
  return timeline.spans.at(-1)?.to ?? from;
}

/** Whether there is a recording of `t`. */
export const isRecorded = (timeline: Timeline, t: number): boolean => timeline.spans.some(({ from, to }) => t >= from && t < to);
