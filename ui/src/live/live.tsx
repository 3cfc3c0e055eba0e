// A camera's live picture, with stills in its place where there is none.
import { useEffect, useRef, useState } from "preact/hooks";

import { Still } from "../parts/still";
import { attach } from "./attach";
import type { Attached, LiveCamera, LiveStatus, Quality } from "./types";

export interface LiveProps {
  camera: LiveCamera;
  /** What is seen, for a screen reader. */
  alt: string;
  /** Where stills are asked for; null where there are none. */
  still: string | null;
  /** What is said while there is no picture yet, and where there is none. */
  loading: string;
  none: string;
  quality?: Quality;
  onStatus?: (status: LiveStatus) => void;
}

export function Live({ camera, alt, still, loading, none, quality = "sub", onStatus }: LiveProps) {
  const video = useRef<HTMLVideoElement>(null);
  /** When it became live, since the page was opened, in milliseconds. */
  const [since, setSince] = useState<number | undefined>(undefined);
  const [status, setStatus] = useState<LiveStatus>({ state: "connecting", message: null });
  // A browser may get stuck with an element whose source broke: each generation has one of its own.
  const [generation, setGeneration] = useState(0);
  const hear = useRef(onStatus);
  hear.current = onStatus;
  const attached = useRef<Attached | null>(null);

  useEffect(() => {
    if (!video.current) return undefined;
    const shown = (attached.current = attach(video.current, camera, {
      quality,
      onStatus: (now) => {
        setStatus(now);
        if (now.state === "live") setSince(performance.now());
        hear.current?.(now);
      },
      onBroken: () => setGeneration((last) => last + 1),
    }));
    return () => shown.stop();
  }, [camera.site, camera.id, generation]);
  useEffect(() => attached.current?.setQuality(quality), [quality]);

  const { state } = status;
  return (
    <span class={`live ${state}`} data-live={state} data-since={since?.toFixed(0)}>
      {state === "stills" && <Still from={still} alt={alt} />}
      <video key={generation} ref={video} aria-label={alt} muted playsInline tabIndex={-1} aria-hidden={state !== "live"} />
      {(state === "connecting" || state === "paused" || state === "offline") && <span class="off-text">{state === "connecting" ? loading : none}</span>}
    </span>
  );
}
