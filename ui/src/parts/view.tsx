// What a camera sees, within its tile. The one place that knows how the picture comes.
import { useEffect, useState } from "preact/hooks";

import type { Camera } from "../api";
import { words } from "../words";
import { Still } from "./still";

type LiveView = typeof import("../live").Live;
/** Fetched after the first view, which it would delay on a slow link. */
let fetched: LiveView | null = null;

/** `large`: it is looked at alone. `onStills` hears whether there is a picture a second in place of a live one. */
export function CameraView({ camera, large, onStills }: { camera: Camera; large: boolean; onStills: (are: boolean) => void }) {
  const w = words.value;
  const [Live, setLive] = useState<LiveView | null>(() => fetched);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (Live) return;
    import("../live").then(
      (live) => {
        fetched = live.Live;
        setLive(() => live.Live);
      },
      () => {
        setFailed(true);
        onStills(true);
      },
    );
  }, []);
  if (failed) return <Still from={camera.still} alt={w.pictureOf(camera.name)} />;
  if (!Live) return <span class="off-text">{w.loading}</span>;
  return (
    <Live
      camera={camera}
      still={camera.still}
      alt={w.pictureOf(camera.name)}
      loading={w.loading}
      none={w.noPicture}
      quality={large ? "main" : "sub"}
      onStatus={({ state }) => onStills(state === "stills")}
    />
  );
}

/** How the picture comes, where that is to be said: not live, but a picture a second. */
export function Pace() {
  return <span class="pace">{words.value.perSecond}</span>;
}
