// The list of incidents: pages from the hub, and news that come by themselves. Pure.
import type { Incident, IncidentPage } from "./api";

const RANK = { began: 0, updated: 1, ended: 2 };
/** An incident that has been open for longer lost its end: its box was cut off. */
const LONGEST_OPEN_MS = 6 * 3_600_000;

/** Whether `next` tells no less than `known`: news may come in another order than they were sent. */
export function isNewer(known: Incident, next: Incident): boolean {
  if (RANK[next.state] !== RANK[known.state]) return RANK[next.state] > RANK[known.state];
  return next.clip.segments >= known.clip.segments && (next.picture !== null || known.picture === null);
}

const order = (a: Incident, b: Incident) => b.start - a.start || (a.id < b.id ? 1 : -1);

/** `list` with `next` in it, newest first. */
export function put(list: readonly Incident[], next: Incident): Incident[] {
  const known = list.find((incident) => incident.id === next.id);
  if (known && !isNewer(known, next)) return [...list];
  return [...list.filter((incident) => incident.id !== next.id), next].sort(order);
}

/** `list` followed by a page that the hub has sent; what is in both counts once. */
export function join(list: readonly Incident[], page: readonly Incident[]): Incident[] {
  const known = new Set(list.map((incident) => incident.id));
  return [...list, ...page.filter((incident) => !known.has(incident.id))].sort(order);
}

/** `list`, of which the hub has sent the first `page` again: older ones stay, unless there is a gap between them and the page. */
export function renewed(list: readonly Incident[], next: string | null, page: IncidentPage): IncidentPage {
  const oldest = page.incidents[page.incidents.length - 1];
  const overlaps = oldest && page.next !== null && list.some((incident) => order(incident, oldest) <= 0);
  const older = overlaps ? list.filter((incident) => order(incident, oldest) > 0) : [];
  return older.length > 0 ? { incidents: [...page.incidents, ...older], next } : page;
}

/** What is going on, after `news` of incidents: those that have begun and not ended. */
export function goingOn(known: readonly Incident[], news: readonly Incident[], now: number): Incident[] {
  const merged = news.reduce<Incident[]>((list, next) => put(list, next), [...known]);
  return merged.filter(({ state, start }) => state !== "ended" && now - start < LONGEST_OPEN_MS);
}
