// What the page knows, and how it learns of it.
import { computed, effect, signal } from "@preact/signals";

import {
  Failure, at, hub, useToken, type Camera, type Days, type House, type Incident, type IncidentPage, type Mode, type Session,
} from "./api";
import { goingOn, join, put, renewed } from "./list";
import { addressOf, close, filter, large, open, replace, type Choice } from "./route";
import { inOrder, order } from "./order";
import { markSeen } from "./seen";
import { incidentTitle } from "./sentences";
import { dayOf } from "./time";
import { visitsOf } from "./visits";
import { words } from "./words";

export const session = signal<Session | null>(null);
export const house = signal<House | null>(null);
export const incidents = signal<Incident[]>([]);
/** Those that are going on, whatever the list is narrowed to. */
export const current = signal<Incident[]>([]);
export const next = signal<string | null>(null);
export const loaded = signal(false);
/** The list could not be had. */
export const unreadable = signal(false);
export const days = signal<Days>({ days: [], cameras: [] });
/** The incident of the address, where it is not in the list; null while it is asked for, false where there is none. */
export const fetched = signal<Incident | null | false>(null);
export const connected = signal(true);
/** What a screen reader says next. */
export const spoken = signal("");
/** Cameras ("site/id") whose mode was asked for, and what was asked. */
export const asked = signal<Record<string, Mode>>({});
export const notice = signal<{ text: string; bad: boolean } | null>(null);

export const zone = computed(() => house.value?.zone ?? "UTC");
export const mayChange = computed(() => session.value?.account?.role === "owner");
/** The incident that is open, as far as it is known. */
export const opened = computed(() => {
  const id = open.value;
  if (!id) return null;
  return incidents.value.find((incident) => incident.id === id) ?? (fetched.value && fetched.value.id === id ? fetched.value : null);
});

/** Visits of the list. */
export const visits = computed(() => visitsOf(incidents.value, (ms) => dayOf(ms, zone.value)));
/** The visit that the open incident belongs to. */
export const openedVisit = computed(() => {
  const incident = opened.value;
  return incident ? (visits.value.find((visit) => visit.incidents.some(({ id }) => id === incident.id)) ?? null) : null;
});
/** The cameras as this browser has put them. */
export const cameras = computed(() => inOrder(house.value?.cameras ?? [], order.value));

export const keyOf = (camera: { site: string; id: string }) => `${camera.site}/${camera.id}`;

/** The name of a camera that its box may no longer have: then it is made of its id. */
export function nameOf(site: string, id: string): string {
  const known = house.value?.cameras.find((camera) => camera.site === site && camera.id === id);
  if (known) return known.name;
  const spaced = id.replace(/-/g, " ");
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** The name of an incident's camera, with its home where there are several. */
export function placeOf(incident: { site: string; camera: string }): string {
  const name = nameOf(incident.site, incident.camera);
  return (house.value?.sites.length ?? 0) > 1 ? words.value.inHome(name, incident.site) : name;
}

/** A failure in the words of the page. */
export function failureText(error: unknown): string {
  const w = words.value;
  if (!(error instanceof Failure)) return w.error_unavailable;
  if (error.code === "slow-down") return w["error_slow-down"](error.wait ?? 30);
  return w[`error_${error.code}`];
}

/** Shows what went wrong; without a session, the page for logging in. */
export function complain(error: unknown): void {
  if (error instanceof Failure && error.code === "login") {
    session.value = session.value ? { ...session.value, state: "login" } : null;
    hearNothing();
    return;
  }
  if (error instanceof Failure && error.code === "offline") {
    connected.value = false;
    return;
  }
  notice.value = { text: failureText(error), bad: true };
}

function query(): { day?: string; site?: string; camera?: string; label?: string } {
  const { camera, day, label } = filter.value;
  const [site, id] = camera.split("/");
  return { ...(day ? { day } : {}), ...(site ? { site } : {}), ...(site && id ? { camera: id } : {}), ...(label ? { label } : {}) };
}

function isShown(incident: Incident): boolean {
  const { camera, day, label } = filter.value;
  const [site, id] = camera.split("/");
  const here = (!site || site === incident.site) && (!id || id === incident.camera);
  return here && (!label || label === incident.label) && (!day || day === dayOf(incident.start, zone.value));
}

function tookPage(page: IncidentPage): void {
  next.value = page.next;
  current.value = goingOn(current.value, page.incidents, Date.now());
}

let asks = 0;
/** How long after the first list what is less urgent is asked for, in milliseconds: over a slow link the first pictures have it for themselves. */
const SETTLES = 700;

/** Asks for the first page of what is chosen. */
export async function refresh(): Promise<void> {
  const mine = ++asks;
  const { day: _day, label: _label, ...where } = query();
  // The list is shown as soon as it is there; which days there are is less urgent.
  const sent = await hub.incidents(query());
  if (mine === asks) {
    // An older hub narrows by camera and day alone.
    const shown = { ...sent, incidents: sent.incidents.filter(isShown) };
    const page = loaded.peek() ? renewed(incidents.peek(), next.peek(), shown) : shown;
    incidents.value = page.incidents;
    tookPage({ ...sent, next: page.next });
    loaded.value = true;
    unreadable.value = false;
  }
  // Pictures come first.
  setTimeout(() => {
    if (mine !== asks) return;
    hub.days(where).then((all) => mine === asks && (days.value = all), complain);
  }, days.value.days.length > 0 ? 0 : SETTLES);
}

/** Chooses what is shown. */
export function choose(change: Partial<Choice>): void {
  replace(addressOf(large.peek() ? `camera/${large.peek()}` : "", change));
}

let asking = false;

/** Asks for the next page, once at a time. */
export async function more(): Promise<void> {
  if (!next.value || asking) return;
  asking = true;
  try {
    const mine = asks;
    const page = await hub.incidents({ ...query(), before: next.value });
    if (mine !== asks) return;
    incidents.value = join(incidents.value, page.incidents.filter(isShown));
    tookPage(page);
  } catch (error) {
    complain(error);
  } finally {
    asking = false;
  }
}

/** Asks for the incident of the address, where it is not in the list. */
async function fetchOpened(): Promise<void> {
  const id = open.value;
  if (!id || opened.peek()) return;
  fetched.value = null;
  try {
    const { incident } = await hub.incident(id);
    if (open.peek() === id) fetched.value = incident;
  } catch (error) {
    if (error instanceof Failure && error.code === "not-found") fetched.value = false;
    else complain(error);
  }
}

function tookHouse(taken: House): void {
  house.value = taken;
  const left = { ...asked.value };
  for (const camera of taken.cameras) {
    if (left[keyOf(camera)] === camera.mode) delete left[keyOf(camera)];
  }
  asked.value = left;
}

export function tookIncident(taken: Incident): void {
  const isNew = !incidents.value.some((incident) => incident.id === taken.id);
  current.value = goingOn(current.value, [taken], Date.now());
  if (isShown(taken)) incidents.value = put(incidents.value, taken);
  if (fetched.value && fetched.value.id === taken.id) fetched.value = taken;
  if (isNew && taken.state !== "ended") {
    spoken.value = words.value.newIncident(incidentTitle(taken, placeOf(taken), words.value));
  }
  if (isNew) {
    const day = dayOf(taken.start, zone.value);
    const known = days.value.days.find((known) => known.day === day);
    const counted = known
      ? days.value.days.map((known) => (known.day === day ? { day, incidents: known.incidents + 1 } : known))
      : [{ day, incidents: 1 }, ...days.value.days];
    days.value = { ...days.value, days: counted };
  }
}

/** The first page of the list; what went wrong is said in its place. */
export const list = () =>
  refresh().catch((error: unknown) => {
    unreadable.value = !loaded.peek();
    // Its place says so, unless the whole page has to.
    if (loaded.peek() || (error instanceof Failure && ["login", "offline"].includes(error.code))) complain(error);
  });

/** Somebody has deleted it. */
export function tookGone(id: string): void {
  incidents.value = incidents.value.filter((incident) => incident.id !== id);
  current.value = current.value.filter((incident) => incident.id !== id);
  if (fetched.value && fetched.value.id === id) fetched.value = false;
  if (open.peek() === id) close();
}

/** Everything is asked for. */
const everything = () => Promise.all([list(), hub.house().then(tookHouse), fetchOpened()]).then(() => undefined);

let events: EventSource | null = null;
/** How long after the first view what may have happened in between is asked for. */
const LOOK_AGAIN = 2000;

function hearNothing(): void {
  clearTimeout(hears);
  events?.close();
}

let hears: ReturnType<typeof setTimeout> | undefined;

/** Asks for everything, then for news. What happens before the stream of news stands is asked for a little later. */
function listen(): void {
  hearNothing();
  hears = setTimeout(hear, SETTLES);
  everything().catch(complain);
}

function hear(): void {
  events?.close();
  events = new EventSource(at("/api/events"));
  const mine = events;
  let first = true;
  events.onopen = () => {
    connected.value = true;
    setTimeout(() => void (mine === events && everything().catch(complain)), first ? LOOK_AGAIN : 0);
    first = false;
  };
  events.onerror = () => {
    connected.value = false;
    // A browser gives up on an answer that is no stream, such as one that asks for a login.
    if (events?.readyState === EventSource.CLOSED) setTimeout(() => void begin(), 3000);
  };
  events.addEventListener("house", (event) => tookHouse(JSON.parse((event as MessageEvent<string>).data) as House));
  events.addEventListener("gone", (event) => tookGone((JSON.parse((event as MessageEvent<string>).data) as { id: string }).id));
  events.addEventListener("incident", (event) => tookIncident(JSON.parse((event as MessageEvent<string>).data) as Incident));
}

/** Takes a session over and shows what it may see. */
export function enter(given: Session): void {
  session.value = given;
  useToken(given.csrf);
  if (given.state === "open") listen();
  else hearNothing();
}

/** Starts, or starts over. */
export async function begin(): Promise<void> {
  try {
    enter(await hub.session());
    connected.value = true;
  } catch {
    connected.value = false;
    setTimeout(() => void begin(), 3000);
  }
}

/** Follows the address: another choice is another list, another incident may have to be asked for. */
export function followAddress(): void {
  let chosen = JSON.stringify(filter.peek());
  effect(() => {
    const now = JSON.stringify(filter.value);
    if (now === chosen) return;
    chosen = now;
    // Another choice is another list.
    loaded.value = false;
    if (session.peek()?.state === "open") void list();
  });
  effect(() => {
    if (open.value && session.peek()?.state === "open" && loaded.peek()) void fetchOpened();
  });
  // Who opens one of a visit has looked at it.
  effect(() => {
    if (opened.value) markSeen(openedVisit.value?.incidents ?? [opened.value]);
  });
}

/** How long a box may take to say that a mode has changed. */
const PATIENCE = 10_000;

/** Asks for a mode: of some cameras, or of the whole house. */
export async function setMode(mode: Mode, cameras: Camera[]): Promise<void> {
  const wanted = cameras.filter((camera) => camera.mode !== mode);
  if (wanted.length === 0) return;
  asked.value = { ...asked.value, ...Object.fromEntries(wanted.map((camera) => [keyOf(camera), mode])) };
  const give_up = () => {
    const left = { ...asked.value };
    for (const camera of wanted) delete left[keyOf(camera)];
    asked.value = left;
  };
  try {
    await hub.mode(mode, wanted.map((camera) => ({ site: camera.site, camera: camera.id })));
    setTimeout(() => {
      if (wanted.some((camera) => asked.value[keyOf(camera)] === mode)) {
        notice.value = { text: words.value.noAnswer, bad: true };
        give_up();
      }
    }, PATIENCE);
  } catch (error) {
    give_up();
    complain(error);
  }
}
