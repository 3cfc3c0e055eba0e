// One camera of the stage: its picture, or why there is none.
import { useState } from "preact/hooks";

import type { Camera } from "../api";
import { addressOf, large } from "../route";
import { tileOf, type Tile } from "../sentences";
import { connected, keyOf } from "../state";
import { words, type Words } from "../words";
import { Icon, type IconName } from "./icons";
import { CameraView, Pace } from "./view";

/** In place of a picture: icon, words and colour together. */
const OFF: Partial<Record<Tile, { icon: IconName; mean: string; say: (w: Words) => string }>> = {
  away: { icon: "problem", mean: "none", say: (w) => w.away },
  fault: { icon: "problem", mean: "fault", say: (w) => w.noPicture },
  paused: { icon: "paused", mean: "rest", say: (w) => w.paused },
};

export function CameraTile({ camera, alone }: { camera: Camera; alone: boolean }) {
  const w = words.value;
  const [stills, setStills] = useState(false);
  const kind = tileOf(camera, connected.value);
  const off = OFF[kind];
  const isLarge = large.value === keyOf(camera);
  const to = isLarge || alone ? addressOf("") : addressOf(`camera/${keyOf(camera)}`);
  const look = off ? `off ${off.mean}` : kind === "somebody" ? "now" : "";
  return (
    <a class={`pic tile ${look}`} href={to} aria-label={isLarge || alone ? camera.name : w.showLarge(camera.name)} data-tile={kind}>
      {off ? (
        <span class="off-text">
          <Icon name={off.icon} />
          <span>{off.say(w)}</span>
        </span>
      ) : (
        <CameraView camera={camera} large={isLarge || alone} onStills={setStills} key={keyOf(camera)} />
      )}
      {kind === "somebody" && <span class="tag notice">{w.somebodyThere}</span>}
      <span class="name">
        <span>{camera.name}</span>
        {!off && stills && (isLarge || alone) && <Pace />}
      </span>
    </a>
  );
}
