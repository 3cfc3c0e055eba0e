// Incidents that follow each other are one visit of the list: somebody who comes, is hidden for a while and comes again. Pure.
import type { Incident } from "./api";

/** Incidents of one camera and one kind belong together when no more time lies between them, in milliseconds, ... */
export const TOGETHER_MS = 5 * 60_000;
/** ... and when they began within this time: at a busy door not everything is one visit. */
export const LONGEST_MS = 10 * 60_000;

export interface Visit {
  /** Newest first; at least one. */
  incidents: [Incident, ...Incident[]];
  /** From when the oldest began. */
  start: number;
  /** Until when the newest ended; null while it goes on. */
  end: number | null;
}

/**
 * The visits of `list`, which is newest first. None reaches over the end of a day, as `dayOf` has it. They are put together from the
 * oldest on, so that a new incident changes the newest visit alone.
 */
export function visitsOf(list: readonly Incident[], dayOf: (ms: number) => string): Visit[] {
  const last = new Map<string, Visit>();
  const visits: Visit[] = [];
  for (const incident of [...list].reverse()) {
    const key = `${incident.site}/${incident.camera}/${incident.label}`;
    const visit = last.get(key);
    if (visit && belongs(visit, incident, dayOf)) {
      visit.incidents.unshift(incident);
      visit.end = incident.end;
    } else {
      const begun: Visit = { incidents: [incident], start: incident.start, end: incident.end };
      last.set(key, begun);
      visits.push(begun);
    }
  }
  const place = new Map(list.map(({ id }, at) => [id, at]));
  return visits.sort((a, b) => (place.get(a.incidents[0].id) ?? 0) - (place.get(b.incidents[0].id) ?? 0));
}

function belongs(visit: Visit, next: Incident, dayOf: (ms: number) => string): boolean {
  // Of one that has no end, nothing is known of the time after its beginning.
  const end = visit.end ?? visit.incidents[0].start;
  const near = next.start - end <= TOGETHER_MS && next.start - visit.start <= LONGEST_MS;
  return near && dayOf(visit.start) === dayOf(next.start);
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
