// Which incidents this browser's reader has opened. What happened before the first visit counts as seen.
import { signal } from "@preact/signals";

import type { Incident } from "./api";
import { keep, kept } from "./kept";

/** Seen is what began before `from`, and what is named. */
export interface Marks {
  from: number;
  ids: readonly string[];
}

/** Incidents that are named one by one; beyond that the oldest are taken to be seen. */
export const MOST = 500;

export const isSeen = (marks: Marks, incident: Pick<Incident, "id" | "start">): boolean =>
  incident.start < marks.from || marks.ids.includes(incident.id);

/** `marks`, and `incidents` as well. */
export function withSeen(marks: Marks, incidents: readonly Pick<Incident, "id" | "start">[]): Marks {
  const fresh = incidents.filter((incident) => !isSeen(marks, incident)).map(({ id }) => id);
  if (fresh.length === 0) return marks;
  return { ...marks, ids: [...marks.ids, ...fresh].slice(-MOST) };
}

/** What was kept; `now` on the first visit. */
export function readMarks(text: string | null, now: number): Marks {
  try {
    const read = JSON.parse(text ?? "") as Marks;
    if (Number.isFinite(read.from) && Array.isArray(read.ids)) {
      return { from: read.from, ids: read.ids.filter((id) => typeof id === "string").slice(-MOST) };
    }
  } catch {
    // Nothing was kept, or nothing that can be read.
  }
  return { from: now, ids: [] };
}

const SEEN = "seen";
const first = kept(SEEN);
export const marks = signal<Marks>(readMarks(first, Date.now()));
if (first === null) keep(SEEN, JSON.stringify(marks.peek()));

function remember(next: Marks): void {
  if (next === marks.peek()) return;
  marks.value = next;
  keep(SEEN, JSON.stringify(next));
}

/** They have been looked at. */
export const markSeen = (incidents: readonly Incident[]): void => remember(withSeen(marks.peek(), incidents));
/** So has everything up to `now`. */
export const markAllSeen = (now: number): void => remember({ from: now, ids: [] });
