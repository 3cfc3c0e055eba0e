// Incidents that follow each other are one visit of the list: somebody who comes, is hidden for a while and comes again. Pure.
import type { Incident } from "./api";

/** Incidents of one camera and one kind belong together when no more time lies between them, in milliseconds. */
export const TOGETHER_MS = 5 * 60_000;

export interface Visit {
  /** Newest first; at least one. */
  incidents: [Incident, ...Incident[]];
  /** From when the oldest began. */
  start: number;
  /** Until when the newest ended; null while it goes on. */
  end: number | null;
}

/** The visits of `list`, which is newest first. None reaches over the end of a day, as `dayOf` has it. */
export function visitsOf(list: readonly Incident[], dayOf: (ms: number) => string): Visit[] {
  const visits: Visit[] = [];
  const last = new Map<string, Visit>();
  for (const incident of list) {
    const key = `${incident.site}/${incident.camera}/${incident.label}`;
    const visit = last.get(key);
    // One that has no end lost it, or goes on: nothing is known of the time between.
    const end = incident.end ?? incident.start;
    if (visit && visit.start - end <= TOGETHER_MS && dayOf(visit.start) === dayOf(incident.start)) {
      visit.incidents.push(incident);
      visit.start = Math.min(visit.start, incident.start);
    } else {
      const begun: Visit = { incidents: [incident], start: incident.start, end: incident.end };
      last.set(key, begun);
      visits.push(begun);
    }
  }
  return visits;
}

/** How long a visit has lasted, in seconds; null while it goes on. */
export const lengthOf = (visit: Visit): number | null => (visit.end === null ? null : Math.max(0, visit.end - visit.start) / 1000);

/** The incidents before and after `id` in `list`, newest first: also of one that is not in it. */
export function neighbours(list: readonly Incident[], incident: Incident): { earlier: Incident | null; later: Incident | null } {
  const at = list.findIndex(({ id }) => id === incident.id);
  if (at >= 0) return { earlier: list[at + 1] ?? null, later: list[at - 1] ?? null };
  const next = list.findIndex(({ start }) => start < incident.start);
  if (next < 0) return { earlier: null, later: list[list.length - 1] ?? null };
  return { earlier: list[next] ?? null, later: list[next - 1] ?? null };
}
