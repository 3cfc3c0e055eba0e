// What the hub answers (docs/page-api.md), and how it is asked.

export type Role = "owner" | "viewer";

export interface Account {
  name: string;
  role: Role;
}

export interface Session {
  state: "open" | "login" | "setup";
  account: Account | null;
  csrf: string | null;
  /** Whether the account has a second factor. */
  second: boolean;
  version: string;
  off_loopback: boolean;
}

export type Mode = "armed" | "disarmed";

export interface Site {
  id: string;
  online: boolean;
  silent: boolean;
  heard: number | null;
  local: boolean;
  problems: string[];
  budget: { last_day: number; last_30_days: number; rung: string | null } | null;
}

export interface Camera {
  site: string;
  id: string;
  name: string;
  state: "online" | "offline" | "suspended" | "unknown";
  problem: string | null;
  mode: Mode | null;
  person: boolean;
  motion: boolean;
  still: string | null;
  editable: boolean;
}

export interface House {
  zone: string;
  now: number;
  sites: Site[];
  cameras: Camera[];
}

export interface Clip {
  state: "none" | "sending" | "first" | "held" | "complete";
  segments: number;
  bytes: number;
  playlist: string | null;
  codec: "h264" | "h265" | null;
  download: string | null;
  parts: number;
}

export interface Incident {
  id: string;
  site: string;
  camera: string;
  label: string;
  state: "began" | "updated" | "ended";
  start: number;
  end: number | null;
  seconds: number | null;
  clock: "good" | "unsure";
  /** How sure the model was, 0 to 1. */
  score: number;
  zones: string[];
  rules: { rule: string; name: string }[];
  test: boolean;
  kept: { reason: string; until: number | null; by: string; at: number } | null;
  false_alarm: { by: string; at: number } | null;
  /** Whether it can be deleted here. */
  deletable: boolean;
  picture: string | null;
  /** The same picture in the size of a card. */
  small: string | null;
  crop: string | null;
  clip: Clip;
}

/** What is kept, and how many incidents were false alarms. */
export interface Marks {
  kept: { id: string; site: string; camera: string; start: number; reason: string; until: number | null; by: string }[];
  false_alarms: number;
}

export interface IncidentPage {
  incidents: Incident[];
  next: string | null;
}

export interface Day {
  day: string;
  incidents: number;
}

/** Days with incidents, and every camera that has one. */
export interface Days {
  days: Day[];
  cameras: { site: string; id: string }[];
}

/** A camera that is recorded round the clock, or was. */
export interface Recorded {
  camera: string;
  /** For how long recordings stay; null: nothing is recorded any more. */
  keep_s: number | null;
  recording: boolean;
  oldest: number | null;
  newest: number | null;
}

export interface Gap {
  from: number;
  to: number;
  why: "off" | "away" | "paused" | "disk" | "busy" | "stream" | "clock";
}

/** What of a stretch of time is recorded, and what is missing. */
export interface Timeline {
  spans: { from: number; to: number }[];
  gaps: Gap[];
}

export type Point = [number, number];

export interface Zone {
  name: string;
  area: Point[];
  required: boolean;
  loiter: number | null;
}

export interface Areas {
  version: string;
  zones: Zone[];
  motion_mask: Point[][];
  privacy_mask: Point[][];
}

export interface LogEntry {
  at: number;
  account: string;
  what: string;
  /** Names of what it was done to. */
  about: string;
  detail: string;
}

/** The secret of a second factor on its way into an authenticator. */
export interface Offer {
  secret: string;
  uri: string;
  /** Rows of a QR code: "1" is dark. */
  picture: string[];
}

export type Code =
  | "login"
  | "second"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "too-large"
  | "bad-request"
  | "slow-down"
  | "unavailable"
  | "offline";

/** A request that the hub did not carry out, or that did not reach it. */
export class Failure extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly wait: number | null = null,
  ) {
    super(message);
  }
}

/** Where the page lies: the hub may be reached under a folder of another server. */
const base = import.meta.url.startsWith("http") ? new URL(".", import.meta.url).pathname : "/";

/** Where `path` of the hub is. */
export function at(path: string): string {
  return base + path.replace(/^\//, "");
}

let token: string | null = null;

/** Remembers what each change must carry. */
export function useToken(csrf: string | null): void {
  token = csrf;
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (token && method !== "GET") headers["Lares-Csrf"] = token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(at(path), {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Failure("offline", "");
  }
  if (answer.status === 204 || answer.status === 201) return undefined as T;
  const document: unknown = await answer.json().catch(() => null);
  if (answer.ok) return document as T;
  const error = (document as { error?: { code: Code; message: string } } | null)?.error;
  const wait = Number(answer.headers.get("Retry-After")) || null;
  throw new Failure(error?.code ?? "unavailable", error?.message ?? "", wait);
}

const place = (site: string, camera: string) => `/api/cameras/${encodeURIComponent(site)}/${encodeURIComponent(camera)}`;

const visit = (id: string) => `/api/incidents/${encodeURIComponent(id)}`;

export const hub = {
  session: () => ask<Session>("GET", "/api/session"),
  setUp: (name: string, password: string, code: string) => ask<Session>("POST", "/api/setup", { name, password, code }),
  logIn: (name: string, password: string, code: string) => ask<Session>("POST", "/api/login", { name, password, ...(code ? { code } : {}) }),
  changePassword: (password: string, fresh: string) => ask<void>("POST", "/api/password", { password, new: fresh }),
  offerSecond: (password: string) => ask<Offer>("POST", "/api/second", { password }),
  confirmSecond: (code: string) => ask<{ recovery: string[] }>("POST", "/api/second/confirm", { code }),
  dropSecond: (password: string) => ask<void>("POST", "/api/second/off", { password }),
  logOut: () => ask<void>("POST", "/api/logout"),
  house: () => ask<House>("GET", "/api/house"),
  incidents: (query: { day?: string; site?: string; camera?: string; label?: string; before?: string }) =>
    ask<IncidentPage>("GET", `/api/incidents?${new URLSearchParams({ limit: "24", ...query })}`),
  incident: (id: string) => ask<{ incident: Incident }>("GET", visit(id)),
  keep: (id: string, reason: string, until: number) => ask<{ incident: Incident }>("PUT", `${visit(id)}/keep`, { reason, until }),
  endKeep: (id: string) => ask<{ incident: Incident }>("DELETE", `${visit(id)}/keep`),
  falseAlarm: (id: string, was: boolean) => ask<{ incident: Incident }>(was ? "PUT" : "DELETE", `${visit(id)}/false-alarm`),
  remove: (id: string) => ask<void>("DELETE", visit(id)),
  marks: () => ask<Marks>("GET", "/api/marks"),
  days: (query: { site?: string; camera?: string }) => ask<Days>("GET", `/api/days?${new URLSearchParams(query)}`),
  mode: (mode: Mode, cameras?: { site: string; camera: string }[]) =>
    ask<{ asked: number }>("PUT", "/api/mode", cameras ? { mode, cameras } : { mode }),
  areas: (site: string, camera: string) => ask<Areas>("GET", `${place(site, camera)}/areas`),
  draw: (site: string, camera: string, areas: Areas) => ask<Areas>("PUT", `${place(site, camera)}/areas`, areas),
  accounts: () => ask<{ accounts: Account[] }>("GET", "/api/accounts"),
  addAccount: (name: string, password: string, role: Role) => ask<void>("POST", "/api/accounts", { name, password, role }),
  removeAccount: (name: string) => ask<void>("DELETE", `/api/accounts/${encodeURIComponent(name)}`),
  recordings: () => ask<{ cameras: Recorded[] }>("GET", "/api/recordings"),
  timeline: (camera: string, from: number, to: number) =>
    ask<Timeline>("GET", `/api/recordings/${encodeURIComponent(camera)}?from=${from}&to=${to}`),
  log: () => ask<{ entries: LogEntry[] }>("GET", "/api/log?limit=200"),
};
