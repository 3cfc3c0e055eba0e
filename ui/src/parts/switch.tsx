// Whether one camera is on.
import type { Camera } from "../api";
import { asked, keyOf, mayChange, setMode } from "../state";
import { words } from "../words";

/** The camera's name, what is asked of its box, and a switch. */
export function CameraSwitch({ camera }: { camera: Camera }) {
  const w = words.value;
  const wanted = asked.value[keyOf(camera)];
  const on = (wanted ?? camera.mode) === "armed";
  // While the box is asked the switch stays where the keyboard left it: one that is disabled would lose the focus.
  const waiting = wanted !== undefined;
  return (
    <>
      <span>
        {camera.name}
        <small>{waiting ? w.asking : on ? w.watchShort : w.paused}</small>
      </span>
      <button
        type="button"
        role="switch"
        class="switch"
        aria-checked={on}
        aria-label={w.watch(camera.name)}
        aria-disabled={waiting}
        disabled={!mayChange.value || camera.mode === null}
        onClick={() => waiting || void setMode(on ? "disarmed" : "armed", [camera])}
      >
        <span class="knob" />
      </button>
    </>
  );
}
