// The clip of an incident: from its first segment on, while it grows, and after.
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { at, type Incident } from "../api";
import { connected } from "../state";
import { words } from "../words";

const HEVC = 'video/mp4; codecs="hvc1.1.6.L93.B0"';
/** Waits before each further try, in milliseconds; after the last one the reader decides. */
const WAITS = [1000, 2000, 4000, 8000];

/** Whether this browser can play such pictures. */
function plays(codec: string | null): boolean {
  if (codec !== "h265") return true;
  return (
    (typeof MediaSource !== "undefined" && MediaSource.isTypeSupported(HEVC)) ||
    document.createElement("video").canPlayType(HEVC) !== ""
  );
}

/** Plays `playlist` in `element` from `from` seconds on; `lost` is called once when it cannot go on. Ends with the function returned. */
function play(element: HTMLVideoElement, playlist: string, from: number, lost: () => void): () => void {
  let stop = () => {};
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    stop();
    lost();
  };
  import("hls.js/light").then(({ default: Hls }) => {
    if (over) return;
    if (!Hls.isSupported()) {
      // Browsers that play such playlists by themselves.
      element.addEventListener("error", end);
      element.src = playlist;
      element.currentTime = from;
      stop = () => element.removeEventListener("error", end);
      return;
    }
    // From the beginning, also of a clip that still grows.
    const hls = new Hls({ startPosition: from, enableWorker: false, liveDurationInfinity: false, backBufferLength: Infinity });
    let recovered = false;
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
        recovered = true;
        hls.recoverMediaError();
      } else end();
    });
    hls.loadSource(playlist);
    hls.attachMedia(element);
    stop = () => hls.destroy();
  }, end);
  return () => {
    over = true;
    stop();
  };
}

function Video({ playlist, poster, label, live }: { playlist: string; poster: string | null; label: string; live: boolean }) {
  const w = words.value;
  const video = useRef<HTMLVideoElement>(null);
  /** Counts what begins it again. */
  const [turn, setTurn] = useState(0);
  const [failed, setFailed] = useState(false);
  const tries = useRef(0);

  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    setFailed(false);
    const stop = play(element, playlist, element.currentTime, () => {
      const wait = WAITS[tries.current++];
      if (wait === undefined || !connected.peek()) setFailed(true);
      else timer = setTimeout(() => setTurn((turn) => turn + 1), wait);
    });
    const well = () => (tries.current = 0);
    element.addEventListener("timeupdate", well);
    return () => {
      clearTimeout(timer);
      stop();
      element.removeEventListener("timeupdate", well);
    };
  }, [playlist, turn]);

  const again = () => {
    tries.current = 0;
    setTurn((turn) => turn + 1);
  };
  // The box is back: so is the clip.
  useEffect(() => {
    let was = connected.peek();
    return effect(() => {
      const now = connected.value;
      if (now && !was && (video.current?.readyState ?? 0) < 3) again();
      was = now;
    });
  }, []);

  return (
    <>
      <video ref={video} controls playsInline muted autoPlay poster={poster ? at(poster) : undefined} aria-label={label} />
      {failed && (
        <p class="actions" role="alert">
          <span class="trouble">{w.clipFailed}</span>
          <button type="button" onClick={again}>
            {w.tryAgain}
          </button>
        </p>
      )}
      {live && <p class="hint">{w.clipGrowing}</p>}
    </>
  );
}

export function Player({ incident, label }: { incident: Incident; label: string }) {
  const w = words.value;
  const { clip } = incident;
  const picture = incident.picture && <img class="large" src={at(incident.picture)} alt={label} />;
  if (!clip.playlist) {
    return (
      <>
        {picture}
        <p class="hint">{clip.state === "sending" ? w.clipSending : clip.state === "held" ? w.clipHeld : w.clipNone}</p>
      </>
    );
  }
  return (
    <>
      {plays(clip.codec) ? (
        <Video playlist={at(clip.playlist)} poster={incident.picture} label={label} live={clip.state === "first"} />
      ) : (
        <>
          {picture}
          <p class="hint">{w.cannotPlay}</p>
        </>
      )}
      {clip.state === "held" && <p class="hint">{w.clipHeld}</p>}
      {clip.download && clip.parts > 1 && <p class="hint">{w.inParts}</p>}
      {clip.download && (
        <p class="actions">
          {Array.from({ length: Math.max(clip.parts, 1) }, (_, part) => (
            <a key={part} class="button" href={at(`${clip.download}?part=${part + 1}`)} download>
              {clip.parts > 1 ? w.downloadPart(part + 1) : w.download}
            </a>
          ))}
        </p>
      )}
    </>
  );
}
