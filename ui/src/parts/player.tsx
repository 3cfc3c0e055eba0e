// The clip of an incident: from its first segment on, while it grows, and after.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Incident } from "../api";
import { words } from "../words";

const HEVC = 'video/mp4; codecs="hvc1.1.6.L93.B0"';

/** Whether this browser can play such pictures. */
function plays(codec: string | null): boolean {
  if (codec !== "h265") return true;
  return (
    (typeof MediaSource !== "undefined" && MediaSource.isTypeSupported(HEVC)) ||
    document.createElement("video").canPlayType(HEVC) !== ""
  );
}

function Video({ playlist, label, live }: { playlist: string; label: string; live: boolean }) {
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    const element = video.current;
    if (!element) return undefined;
    let over = false;
    let stop = () => {};
    setFailed(false);
    void import("hls.js/light").then(({ default: Hls }) => {
      if (over) return;
      if (!Hls.isSupported()) {
        // Browsers that play such playlists by themselves.
        element.src = playlist;
        return;
      }
      // From the beginning, also of a clip that still grows.
      const hls = new Hls({ startPosition: 0, enableWorker: false, liveDurationInfinity: false, backBufferLength: Infinity });
      let tries = 0;
      hls.on(Hls.Events.ERROR, (_event, data) => {
        if (!data.fatal) return;
        tries += 1;
        if (tries > 5) setFailed(true);
        else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
        else setTimeout(() => hls.startLoad(), 1000);
      });
      hls.loadSource(playlist);
      hls.attachMedia(element);
      stop = () => hls.destroy();
    });
    return () => {
      over = true;
      stop();
    };
  }, [playlist]);

  return (
    <>
      <video ref={video} controls playsInline muted autoPlay aria-label={label} />
      {failed && <p class="hint">{words.value.clipFailed}</p>}
      {live && <p class="hint">{words.value.clipGrowing}</p>}
    </>
  );
}

export function Player({ incident, label }: { incident: Incident; label: string }) {
  const w = words.value;
  const { clip } = incident;
  const picture = incident.picture && <img class="large" src={incident.picture} alt={label} />;
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
        <Video playlist={clip.playlist} label={label} live={clip.state === "first"} />
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
          {Array.from({ length: Math.max(clip.parts, 1) }, (_, at) => (
            <a key={at} class="button" href={`${clip.download}?part=${at + 1}`} download>
              {clip.parts > 1 ? w.downloadPart(at + 1) : w.download}
            </a>
          ))}
        </p>
      )}
    </>
  );
}
