// What a camera sees, within its tile. The one place that knows how the picture comes.
import type { Camera } from "../api";
import { Live } from "../live";
import { words } from "../words";

/** `large`: it is looked at alone. `onStills` hears whether there is a picture a second in place of a live one. */
export function CameraView({ camera, large, onStills }: { camera: Camera; large: boolean; onStills: (are: boolean) => void }) {
  const w = words.value;
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
