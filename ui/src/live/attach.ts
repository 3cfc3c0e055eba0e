// Ties a video element to a camera: what comes from the socket goes to the player, while somebody can see it.
import { Player, codecs } from "./player";
import { watch } from "./socket";
import type { Attached, LiveCamera, LiveOptions, LiveStatus, Quality } from "./types";

/** Without a picture for so long stills are shown meanwhile, in milliseconds. */
const PATIENCE = 4_000;
/** Who scrolls by, or is back at once, keeps what is running, in milliseconds. */
const LINGER = 1_500;
/** A player that broke is built again after this long, the longer the more often it broke, in milliseconds. */
const REBUILD = 500;
const LONGEST_REBUILD = 30_000;

/** A camera without a live view may have one later, in milliseconds. */
const ASK_AGAIN = 60_000;

export interface Inner extends LiveOptions {
  /** The element is of no use any more: the caller attaches another. Without this the same element is set up afresh. */
  onBroken?: () => void;
}

/** Shows `camera` in `video`, muted, while the element can be seen. */
export function attach(video: HTMLVideoElement, camera: LiveCamera, options: Inner = {}): Attached {
  let quality: Quality = options.quality ?? "sub";
  let status: LiveStatus = { state: "connecting", message: null };
  let player: Player | null = null;
  let leave: (() => void) | null = null;
  let seen = false;
  let over = false;
  let broken = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let away: ReturnType<typeof setTimeout> | undefined;
  const plays = codecs();

  const say = (state: LiveStatus["state"], message: string | null = null) => {
    if (over || (status.state === state && status.message === message)) return;
    status = { state, message };
    options.onStatus?.(status);
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => status.state === "connecting" && say("stills"), PATIENCE);
  };

  const end = () => {
    clearTimeout(timer);
    leave?.();
    leave = null;
  };
  const begin = () => {
    if (leave || over) return;
    if (status.state !== "stills" || status.message) say("connecting");
    wait();
    player ??= new Player(video, { shown: () => say("live"), broken: rebuild });
    player.restart();
    let lost = false;
    leave = watch(camera, quality, plays, {
      format: (mime) => {
        // After a socket that was lost time begins at zero again; after a change of codec or size it goes on.
        if (lost) player?.restart();
        lost = false;
        player?.format(mime);
      },
      data: (bytes, header, key) => player?.data(bytes, header, key),
      caughtUp: () => player?.live(),
      standing: (value) => {
        if (value === "online") {
          say("connecting");
          wait();
        } else say(value);
      },
      refused: (message) => {
        end();
        // What was shown may be what a mask hides from now on.
        clear();
        say("stills", message);
        timer = setTimeout(look, ASK_AGAIN);
      },
      lost: (blocked) => {
        lost = true;
        if (blocked) say("stills");
        else if (status.state !== "stills") say("connecting");
        wait();
      },
    });
  };
  const clear = () => {
    player?.stop();
    player = null;
    video.removeAttribute("src");
    video.load();
  };
  const rebuild = () => {
    end();
    player?.stop();
    player = null;
    broken += 1;
    say("connecting");
    timer = setTimeout(() => {
      if (over) return;
      if (options.onBroken) return options.onBroken();
      clear();
      look();
    }, Math.min(REBUILD * 2 ** (broken - 1), LONGEST_REBUILD));
  };
  const look = () => {
    clearTimeout(away);
    if (seen && !document.hidden) begin();
    else away = setTimeout(end, LINGER);
  };

  options.onStatus?.(status);
  if (!plays) {
    say("stills");
    return { stop: () => (over = true), setQuality: () => {}, get status() { return status; } };
  }
  const watcher = new IntersectionObserver(([entry]) => {
    seen = entry?.isIntersecting ?? false;
    look();
  });
  watcher.observe(video);
  // The observer speaks a frame later.
  const { top, bottom } = video.getBoundingClientRect();
  seen = bottom > 0 && top < innerHeight;
  if (seen) look();
  document.addEventListener("visibilitychange", look);
  return {
    stop() {
      over = true;
      watcher.disconnect();
      document.removeEventListener("visibilitychange", look);
      clearTimeout(away);
      end();
      player?.stop();
    },
    setQuality(wanted) {
      if (wanted === quality) return;
      quality = wanted;
      if (!leave) return;
      end();
      begin();
    },
    get status() {
      return status;
    },
  };
}
