// What a camera sees, within its tile. The one place that knows how the picture comes.
import type { Camera } from "../api";
import { words } from "../words";
import { Still } from "./still";

/** `large`: it is looked at alone. */
export function CameraView({ camera }: { camera: Camera; large: boolean }) {
  return <Still from={camera.still} alt={words.value.pictureOf(camera.name)} />;
}

/** How the picture comes, where that is to be said: not live, but a picture a second. */
export function Pace() {
  return <span class="pace">{words.value.perSecond}</span>;
}
