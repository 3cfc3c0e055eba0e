// What the page knows, and how it learns of it.
import { computed, signal } from "@preact/signals";

import { Failure, hub, useToken, type Camera, type Day, type House, type Incident, type Mode, type Session } from "./api";
import { join, put } from "./list";
import { dayOf } from "./time";
import { words } from "./words";

export const session = signal<Session | null>(null);
export const house = signal<House | null>(null);
export const incidents = signal<Incident[]>([]);
export const next = signal<string | null>(null);
export const loaded = signal(false);
export const days = signal<Day[]>([]);
/** Which camera ("site/id") and day are shown; empty: all. */
export const filter = signal<{ camera: string; day: string }>({ camera: "", day: "" });
export const connected = signal(true);
/** What a screen reader says next. */
export const spoken = signal("");
/** The incident that is open. */
export const open = signal<string | null>(null);
/** Cameras ("site/id") whose mode was asked for, and what was asked. */
export const asked = signal<Record<string, Mode>>({});
export const notice = signal<{ text: string; bad: boolean } | null>(null);

export const zone = computed(() => house.value?.zone ?? "UTC");
export const mayChange = computed(() => session.value?.account?.role === "owner");

export const keyOf = (camera: { site: string; id: string }) => `${camera.site}/${camera.id}`;

/** The name of an incident's camera. */
export function nameOf(incident: Incident): string {
  return cameraOf(incident)?.name ?? incident.camera;
}

export function cameraOf(incident: Incident): Camera | undefined {
  return house.value?.cameras.find((camera) => camera.site === incident.site && camera.id === incident.camera);
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
    void begin();
    return;
  }
  if (error instanceof Failure && error.code === "offline") connected.value = false;
  else notice.value = { text: failureText(error), bad: true };
}

function query(): { day?: string; site?: string; camera?: string } {
  const { camera, day } = filter.value;
  const [site, id] = camera.split("/");
  return { ...(day ? { day } : {}), ...(site && id ? { site, camera: id } : {}) };
}

function isShown(incident: Incident): boolean {
  const { camera, day } = filter.value;
  return (!camera || camera === `${incident.site}/${incident.camera}`) && (!day || day === dayOf(incident.start, zone.value));
}

/** Asks for the first page of what is chosen. */
export async function refresh(): Promise<void> {
  const chosen = filter.value;
  const { day: _day, ...where } = query();
  const [page, all] = await Promise.all([hub.incidents(query()), hub.days(where)]);
  if (chosen !== filter.value) return;
  incidents.value = page.incidents;
  next.value = page.next;
  days.value = all.days;
  loaded.value = true;
}

/** Chooses what is shown. */
export async function choose(change: Partial<{ camera: string; day: string }>): Promise<void> {
  filter.value = { ...filter.value, ...change };
  await refresh().catch(complain);
}

/** Asks for the next page. */
export async function more(): Promise<void> {
  if (!next.value) return;
  try {
    const page = await hub.incidents({ ...query(), before: next.value });
    incidents.value = join(incidents.value, page.incidents);
    next.value = page.next;
  } catch (error) {
    complain(error);
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

function tookIncident(taken: Incident): void {
  const isNew = !incidents.value.some((incident) => incident.id === taken.id);
  if (isShown(taken)) incidents.value = put(incidents.value, taken);
  if (isNew && taken.state !== "ended") {
    spoken.value = words.value.newIncident(words.value.at(words.value[taken.label === "person" ? "person" : "thing"], nameOf(taken)));
  }
  if (isNew) {
    const day = dayOf(taken.start, zone.value);
    const known = days.value.find((known) => known.day === day);
    days.value = known
      ? days.value.map((known) => (known.day === day ? { day, incidents: known.incidents + 1 } : known))
      : [{ day, incidents: 1 }, ...days.value];
  }
}

let events: EventSource | null = null;

function listen(): void {
  events?.close();
  events = new EventSource("/api/events");
  // What happened while nobody listened is asked for anew, at the first time too.
  events.onopen = () => {
    connected.value = true;
    void Promise.all([hub.house().then(tookHouse), refresh()]).catch(complain);
  };
  events.onerror = () => {
    connected.value = false;
    // A browser gives up on an answer that is no stream, such as one that asks for a login.
    if (events?.readyState === EventSource.CLOSED) setTimeout(() => void begin(), 3000);
  };
  events.addEventListener("house", (event) => tookHouse(JSON.parse((event as MessageEvent<string>).data) as House));
  events.addEventListener("incident", (event) => tookIncident(JSON.parse((event as MessageEvent<string>).data) as Incident));
}

/** Takes a session over and shows what it may see. */
export function enter(given: Session): void {
  session.value = given;
  useToken(given.csrf);
  if (given.state === "open") listen();
  else events?.close();
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
