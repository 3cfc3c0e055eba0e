// The clip of an incident: its picture at once, then the clip, from its first segment on, while it grows, and after.
import { effect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { at, type Incident } from "../api";
import { connected } from "../state";
import { words } from "../words";
import { Controls, toggle } from "./controls";
import { Icon } from "./icons";
import { play, plays } from "./stream";

/** Waits before each further try, in milliseconds; after the last one the reader decides. */
const WAITS = [1000, 2000, 4000, 8000];

function Video({ playlist, poster, label }: { playlist: string; poster: string | null; label: string }) {
  const w = words.value;
  const video = useRef<HTMLVideoElement>(null);
  const [element, setElement] = useState<HTMLVideoElement | null>(null);
  /** Counts what begins it again. */
  const [turn, setTurn] = useState(0);
  const [failed, setFailed] = useState(false);
  /** At its beginning, where the browser does not play by itself, and at its end: in between the picture is looked at. */
  const [stopped, setStopped] = useState(false);
  const tries = useRef(0);

  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    setElement(element);
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
      <div class="player">
        <video
          ref={video}
          playsInline
          muted
          autoPlay
          poster={poster ? at(poster) : undefined}
          aria-label={label}
          onClick={(event) => toggle(event.currentTarget)}
          onPlay={() => setStopped(false)}
          onLoadedData={(event) => setStopped(event.currentTarget.paused)}
          onEnded={() => setStopped(true)}
        />
        {stopped && !failed && (
          <button type="button" class="play-big" aria-label={w.play} onClick={() => video.current && toggle(video.current)}>
            <Icon name="play" solid />
          </button>
        )}
        {failed && (
          <div class="msg" role="alert">
            <p>{connected.value ? w.clipFailed : w.clipCut}</p>
            <button type="button" onClick={again}>
              {w.tryAgain}
            </button>
          </div>
        )}
      </div>
      {element && <Controls video={element} />}
    </>
  );
}

/** The picture alone, and why there is no clip. */
function Picture({ incident, label, children }: { incident: Incident; label: string; children: ComponentChildren }) {
  return (
    <div class="player">
      {incident.picture && <img src={at(incident.picture)} alt={label} />}
      <div class="msg" role="status">
        <p>{children}</p>
      </div>
    </div>
  );
}

export function Player({ incident, label }: { incident: Incident; label: string }) {
  const w = words.value;
  const { clip } = incident;
  if (!clip.playlist) {
    const why = clip.state === "sending" ? w.clipSending : clip.state === "held" ? w.clipHeld : w.clipNone;
    // The picture is all there is: nothing lies over it.
    if (clip.state !== "sending" && incident.picture) {
      return (
        <>
          <div class="player">
            <img src={at(incident.picture)} alt={label} />
          </div>
          <p class="hint">{why}</p>
        </>
      );
    }
    return (
      <Picture incident={incident} label={label}>
        {why}
      </Picture>
    );
  }
  if (!plays(clip.codec)) {
    return (
      <Picture incident={incident} label={label}>
        {w.cannotPlay}
      </Picture>
    );
  }
  return (
    <>
      <Video playlist={at(clip.playlist)} poster={incident.picture} label={label} />
      {clip.state === "first" && <p class="hint">{w.clipGrowing}</p>}
      {clip.state === "held" && <p class="hint">{w.clipHeld}</p>}
    </>
  );
}
