// Pause, always in the same place: everything, or one camera.
import { useState } from "preact/hooks";

import { cameras, connected, keyOf, mayChange, setMode } from "../state";
import { words } from "../words";
import { Menu } from "./menu";
import { CameraSwitch } from "./switch";

export function Pause() {
  const w = words.value;
  const [isOpen, setOpen] = useState(false);
  const all = cameras.value;
  const some = (mode: string) => all.some((camera) => camera.mode === mode);
  if (all.length === 0 || !connected.value) return null;
  if (!isOpen && mayChange.value && some("disarmed") && !some("armed")) {
    return (
      <button type="button" class="main" onClick={() => void setMode("armed", all)}>
        {w.armAll}
      </button>
    );
  }
  return (
    <Menu label={w.pause} isOpen={isOpen} onOpen={setOpen}>
      {all.length > 1 && (
        <div class="actions">
          {some("armed") && (
            <button type="button" class="main" disabled={!mayChange.value} onClick={() => void setMode("disarmed", all)}>
              {w.disarmAll}
            </button>
          )}
          {some("disarmed") && (
            <button type="button" disabled={!mayChange.value} onClick={() => void setMode("armed", all)}>
              {w.armAll}
            </button>
          )}
        </div>
      )}
      <ul class="switches" aria-label={w.eachCamera}>
        {all.map((camera) => (
          <li key={keyOf(camera)}>
            <CameraSwitch camera={camera} />
          </li>
        ))}
      </ul>
      <small>{mayChange.value ? w.pauseNote : w.viewerOnly}</small>
    </Menu>
  );
}
