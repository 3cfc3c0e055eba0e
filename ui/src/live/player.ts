// Plays a byte stream of now in a video element, through Media Source Extensions, as near to its end as the line allows.

/** Behind the newest picture, in seconds, beside the time from one picture to the next. */
const MARGIN = 0.15;
/** Slow cameras are not followed further behind than with this step, in seconds. */
const LONGEST_STEP = 0.3;
/** Further behind than the target by this much it jumps, in seconds. */
const JUMP = 0.75;
/** A stall adds this to the target, up to `MOST_EXTRA`; without one it shrinks again, in seconds. */
const EXTRA = 0.05;
const MOST_EXTRA = 0.6;
const CALM = 20_000;
/** What is older than this is dropped from the buffer, in seconds. */
const KEEP = 10;
/** Bytes that may wait to be appended; more mean that the browser does not keep up. */
const MOST_WAITING = 8_000_000;
/** Between what was played before a break and what comes after it, in seconds. */
const SEAM = 1;

type Source = MediaSource & { streaming?: boolean };
declare global {
  interface Window {
    ManagedMediaSource?: { new (): MediaSource; isTypeSupported(type: string): boolean };
  }
}

const kind = () => window.MediaSource ?? window.ManagedMediaSource;
/** Safari buffers again whenever the rate changes: it jumps instead. */
const jumps = /apple/i.test(navigator.vendor);

const ASKED = ["avc1.640029", "avc1.64002A", "avc1.640033", "hvc1.1.6.L153.B0"];
/** What this browser plays, as go2rtc's clients list it; empty where it plays nothing. */
export const codecs = () => ASKED.filter((codec) => kind()?.isTypeSupported(`video/mp4; codecs="${codec}"`)).join();

export interface Heard {
  /** A picture of now is on the screen. */
  shown(): void;
  /** The browser cannot go on with this element. */
  broken(): void;
}

export class Player {
  private source: Source | null = null;
  private address = "";
  private buffer: SourceBuffer | null = null;
  private mime = "";
  private waiting: Uint8Array[] = [];
  private waits = 0;
  private needsKey = false;
  private caughtUp = false;
  private began = false;
  private held = true;
  private lively = false;
  private seam: number | null = null;
  /** What comes next is of another type than what came before. */
  private retype = false;
  /** What comes next does not continue what was appended. */
  private torn = false;
  private step = 0;
  private end = 0;
  private extra = 0;
  private stalled = 0;
  private keys: number[] = [];
  private over = new AbortController();

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly heard: Heard,
  ) {
    video.muted = true;
    video.playsInline = true;
    video.disableRemotePlayback = true;
    const listen = (event: string, hear: () => void) => video.addEventListener(event, hear, { signal: this.over.signal });
    listen("waiting", () => this.stall());
    listen("error", () => this.fail());
    listen("timeupdate", () => this.picture());
    const each = () => {
      if (this.over.signal.aborted) return;
      this.picture();
      video.requestVideoFrameCallback(each);
    };
    // Older Firefox has no such call: there the time that moves says it.
    video.requestVideoFrameCallback?.(each);
  }

  /** A byte stream begins, with its header. What was shown before stays until then. */
  format(mime: string): void {
    if (this.source && mime === this.mime) return;
    this.mime = mime;
    if (this.buffer && this.source?.readyState === "open" && typeof this.buffer.changeType === "function") {
      this.retype = true;
      this.cut();
    } else this.open();
  }

  /** What comes now begins at its own time zero: it goes behind what there is. */
  restart(): void {
    this.cut();
    this.caughtUp = false;
    this.began = false;
    this.lively = false;
    this.held = true;
    this.keys = [];
    this.needsKey = false;
    if (this.buffer) this.seam = this.video.buffered.length ? this.video.buffered.end(this.video.buffered.length - 1) + SEAM : 0;
  }

  data(bytes: Uint8Array, header: boolean, key: boolean): void {
    if (key || header) this.needsKey = false;
    // An iPhone says when it wants nothing; and who cannot keep up goes on with the next picture that stands alone.
    if (!header && !this.needsKey && (this.waits > MOST_WAITING || this.source?.streaming === false)) {
      this.needsKey = true;
      this.cut();
    }
    if (this.needsKey) return;
    if (key && this.buffer) this.keys.push(this.end);
    this.waiting.push(bytes);
    this.waits += bytes.byteLength;
    this.feed();
  }

  /** What waits is given up, and so is the picture of which a part has been appended. */
  private cut(): void {
    this.waiting = [];
    this.waits = 0;
    this.torn = true;
  }

  /** What was kept has come. */
  live(): void {
    this.caughtUp = true;
    this.lively = false;
    this.steer();
  }

  stop(): void {
    this.over.abort();
    this.video.pause();
    if (this.address) URL.revokeObjectURL(this.address);
    this.source = this.buffer = null;
  }

  private open(): void {
    const Kind = kind();
    if (!Kind) return this.fail();
    if (this.address) URL.revokeObjectURL(this.address);
    const source: Source = new Kind();
    this.source = source;
    this.buffer = null;
    this.seam = null;
    this.torn = this.retype = false;
    this.address = URL.createObjectURL(source);
    this.video.src = this.address;
    source.addEventListener(
      "sourceopen",
      () => {
        if (this.source !== source) return;
        try {
          this.buffer = source.addSourceBuffer(this.mime);
        } catch {
          return this.fail();
        }
        this.buffer.addEventListener("updateend", () => {
          this.steer();
          this.feed();
        });
        this.buffer.addEventListener("error", () => this.fail());
        this.feed();
      },
      { once: true },
    );
  }

  private fail(): void {
    if (!this.over.signal.aborted) this.heard.broken();
  }

  /** Appends all that waits in one go. */
  private feed(): void {
    const { buffer } = this;
    if (!buffer || buffer.updating || this.waits === 0 || this.source?.readyState !== "open") return;
    const all = new Uint8Array(this.waits);
    let at = 0;
    for (const piece of this.waiting) {
      all.set(piece, at);
      at += piece.byteLength;
    }
    this.waiting = [];
    this.waits = 0;
    try {
      if (this.torn) buffer.abort();
      if (this.retype) buffer.changeType(this.mime);
      if (this.seam !== null) buffer.timestampOffset = this.seam;
      this.torn = this.retype = false;
      this.seam = null;
      buffer.appendBuffer(all);
    } catch {
      this.fail();
    }
  }

  /** Shows the newest picture and waits until there is enough to go on; plays; jumps where it is far behind. */
  private steer(): void {
    const { video } = this;
    const { buffered } = video;
    if (!buffered.length || !this.caughtUp || (!this.began && this.waits > 0) || this.seam !== null) return;
    const end = buffered.end(buffered.length - 1);
    const grown = end - this.end;
    if (this.end > 0 && grown > 0 && grown < 1) this.step = this.step ? this.step * 0.9 + grown * 0.1 : grown;
    this.end = end;
    if (video.seeking) return;
    const target = MARGIN + Math.min(this.step || 0.1, LONGEST_STEP) + this.extra;
    const behind = end - video.currentTime;
    if (!this.began || behind > target + JUMP || video.currentTime < buffered.start(0)) {
      this.began = true;
      video.currentTime = Math.max(buffered.start(buffered.length - 1), end - target);
      video.playbackRate = 1;
      return;
    }
    const now = performance.now();
    if (this.held) {
      if (behind < target - 0.01) return;
      this.held = false;
      video.playbackRate = 1;
      video.play().catch(() => {});
      return;
    }
    if (!jumps) video.playbackRate = behind > target + 0.2 ? 1.1 : behind > target + 0.04 ? 1.04 : behind < target - 0.05 ? 0.95 : 1;
    if (this.extra > 0 && now - this.stalled > CALM) {
      this.extra = Math.max(0, this.extra - EXTRA);
      this.stalled = now;
    }
    this.trim();
  }

  /** Drops what is old, but never a part of the group of pictures that is playing: the browser would drop all of it. */
  private trim(): void {
    const { video, buffer } = this;
    if (!buffer || buffer.updating || video.buffered.start(0) > video.currentTime - 2 * KEEP) return;
    const before = this.keys.filter((key) => key < video.currentTime - KEEP);
    const last = before.at(-1);
    if (last === undefined || last <= video.buffered.start(0)) return;
    this.keys = this.keys.filter((key) => key >= last);
    buffer.remove(0, last);
  }

  /** Nothing is left to play. Chromium would then show each picture as it comes, ever later: it waits for enough instead. */
  private stall(): void {
    if (!this.began || this.video.seeking || this.held) return;
    this.extra = Math.min(MOST_EXTRA, this.extra + EXTRA);
    this.stalled = performance.now();
    this.held = true;
    this.video.pause();
  }

  private picture(): void {
    if (this.lively || !this.began || this.video.seeking || this.video.readyState < 2) return;
    this.lively = true;
    this.heard.shown();
  }
}
