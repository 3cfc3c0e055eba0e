// One WebSocket for all cameras that are shown (docs/page-api.md, "Live"). It is opened for the first, closed after the last, and
// opened again with growing waits when it is lost.
import { at } from "../api";
import type { LiveCamera, Quality } from "./types";

/** What a channel hears. */
export interface Listener {
  /** The media type of what follows: a header comes next. */
  format(mime: string): void;
  /** A piece of the byte stream. `header`: a new header begins; `key`: a picture that needs no other begins. */
  data(bytes: Uint8Array, header: boolean, key: boolean): void;
  /** All that had been kept has come: what follows is of now. */
  caughtUp(): void;
  /** Whether there are pictures to come, and why not. */
  standing(value: "online" | "offline" | "paused"): void;
  /** There is no live view of this camera, and none to come. */
  refused(message: string): void;
  /** The socket is lost; it is tried again. `blocked`: it has never opened, so that something on the way does not let it through. */
  lost(blocked: boolean): void;
}

interface Channel {
  camera: LiveCamera;
  quality: Quality;
  codecs: string;
  listener: Listener;
}

const HEAD = 4;
const HEADER = 1;
const KEY = 2;
/** The hub's code for a session that has ended: asking again would not help. */
const SESSION_OVER = 4001;
/** Failures to open after which something on the way is taken to be in the way. */
const ATTEMPTS = 2;
const BLOCKED_AGAIN = 60_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;
/** The socket stays this long without a channel: who scrolls or switches comes back. */
const LINGER = 5_000;

const channels = new Map<number, Channel>();
let socket: WebSocket | null = null;
let number = 0;
let failures = 0;
let everOpened = false;
let again: ReturnType<typeof setTimeout> | undefined;
let closing: ReturnType<typeof setTimeout> | undefined;

const address = () => new URL(at("/api/ws"), location.href).href.replace(/^http/, "ws");

function linger(): void {
  clearTimeout(closing);
  closing = setTimeout(() => channels.size === 0 && leave(), LINGER);
}

/** Watches `camera`; the function that it returns ends that. `codecs`: what the browser plays, as go2rtc's clients list it. */
export function watch(camera: LiveCamera, quality: Quality, codecs: string, listener: Listener): () => void {
  do number = (number + 1) % 0x1_0000;
  while (channels.has(number));
  const mine = number;
  channels.set(mine, { camera, quality, codecs, listener });
  clearTimeout(closing);
  if (socket?.readyState === WebSocket.OPEN) ask(mine);
  else if (!socket && again === undefined) open();
  return () => {
    if (!channels.delete(mine)) return;
    send({ type: "unwatch", channel: mine });
    if (channels.size === 0) linger();
  };
}

function send(message: object): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ask(channel: number): void {
  const { camera, quality, codecs } = channels.get(channel)!;
  send({ type: "watch", channel, src: `${camera.site}/${camera.id}`, quality, value: codecs });
}

function leave(): void {
  clearTimeout(again);
  again = undefined;
  const left = socket;
  socket = null;
  left?.close();
}

function open(): void {
  again = undefined;
  const mine = new WebSocket(address());
  // Firefox puts blobs out of order when they are read side by side.
  mine.binaryType = "arraybuffer";
  socket = mine;
  mine.onopen = () => {
    everOpened = true;
    failures = 0;
    for (const channel of channels.keys()) ask(channel);
  };
  mine.onmessage = ({ data }) => (typeof data === "string" ? told(data) : took(data as ArrayBuffer));
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    socket = null;
    failures += 1;
    const blocked = !everOpened && failures >= ATTEMPTS;
    for (const { listener } of [...channels.values()]) listener.lost(blocked);
    if (channels.size === 0 || code === SESSION_OVER) return;
    const wait = blocked ? BLOCKED_AGAIN : Math.min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT);
    again = setTimeout(() => (channels.size > 0 ? open() : (again = undefined)), wait * (0.75 + Math.random() / 2));
  };
}

function took(message: ArrayBuffer): void {
  if (message.byteLength < HEAD) return;
  const head = new DataView(message);
  const flags = head.getUint8(2);
  const bytes = new Uint8Array(message, HEAD);
  channels.get(head.getUint16(0))?.listener.data(bytes, (flags & HEADER) !== 0, (flags & KEY) !== 0);
}

function told(text: string): void {
  const { type, channel, value } = JSON.parse(text) as { type: string; channel?: number; value?: string };
  const listener = channels.get(channel ?? -1)?.listener;
  if (!listener) return;
  if (type === "mse") listener.format(value ?? "");
  else if (type === "live") listener.caughtUp();
  else if (type === "error") listener.refused(value ?? "");
  else if (type === "state" && (value === "online" || value === "offline" || value === "paused")) listener.standing(value);
}
