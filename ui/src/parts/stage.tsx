// The cameras: one area, divided among them. A tap shows one large, with the others in a strip beneath.
import { useEffect, useState } from "preact/hooks";

import type { Camera } from "../api";
import { askRecorded, recorded } from "../recordings";
import { addressOf, large } from "../route";
import { tileOf } from "../sentences";
import { cameras, connected, house, keyOf, mayChange } from "../state";
import { urgentFirst } from "../order";
import { words } from "../words";
import { Icon } from "./icons";
import { CameraTile } from "./tile";

/** Cameras that a phone shows before it is asked for the others. */
const FEW = 4;

/** Columns so that `n` tiles of one shape fill an area of that shape. */
export const columns = (n: number) => Math.max(1, Math.ceil(Math.sqrt(n)));

/** What can be done with a camera that is large, or the only one. */
function Under({ camera, alone }: { camera: Camera; alone: boolean }) {
  const w = words.value;
  const local = house.value?.sites.some((site) => site.local && site.id === camera.site);
  useEffect(() => {
    if (local) void askRecorded();
  }, [local]);
  const has = local && recorded.value?.some((one) => one.camera === camera.id);
  if (alone && !has) return null;
  return (
    <div class="under">
      {!alone && (
        <a class="button bare" href={addressOf("")}>
          <Icon name="close" />
          {w.allSmall}
        </a>
      )}
      {has && (
        <a class="button bare" href={`#/timeline/${keyOf(camera)}`} aria-label={`${w.recording}: ${camera.name}`}>
          <Icon name="line" />
          {w.recording}
        </a>
      )}
      {!alone && mayChange.value && camera.editable && (
        <a class="button bare" href={`#/areas/${keyOf(camera)}`} aria-label={`${w.drawAreas}: ${camera.name}`}>
          <Icon name="shapes" />
          {w.drawAreas}
        </a>
      )}
    </div>
  );
}

/** A phone, which shows a few cameras at first: the style sheet has the same width. */
const narrow = typeof matchMedia === "undefined" ? null : matchMedia("(max-width: 42.49em)");

/** On a phone, cameras that somebody is at or that have a fault come up. On a wider screen each stays in its place. */
function shown(): Camera[] {
  const all = cameras.value;
  if (all.length <= FEW || !narrow?.matches) return all;
  return urgentFirst(all, (camera) => ["somebody", "fault"].includes(tileOf(camera, connected.value)));
}

export function Stage() {
  const w = words.value;
  const [all, showAll] = useState(false);
  const list = shown();
  const big = list.length > 1 ? list.find((camera) => keyOf(camera) === large.value) : undefined;
  const tiles = big ? [big, ...list.filter((camera) => camera !== big)] : list;
  const others = tiles.length - 1;
  const cols = big ? (others < 7 ? Math.max(3, others) : Math.ceil(others / 2)) : columns(tiles.length);
  const homes = new Set(list.map(({ site }) => site)).size;
  if (list.length === 0) return null;
  return (
    <section class="cams" aria-labelledby="cameras">
      <h2 class="unseen" id="cameras">
        {w.cameras}
      </h2>
      <ul class={`stage${big ? " one" : ""}${tiles.length > 9 ? " many" : ""}${all ? " all" : ""}`} style={{ "--cols": cols }}>
        {tiles.map((camera) => (
          <li key={keyOf(camera)} class={camera === big ? "big" : undefined}>
            <CameraTile camera={homes > 1 ? { ...camera, name: w.inHome(camera.name, camera.site) } : camera} alone={tiles.length === 1} />
            {(camera === big || tiles.length === 1) && <Under camera={camera} alone={tiles.length === 1} />}
          </li>
        ))}
      </ul>
      {!all && tiles.length > FEW && (
        <button type="button" class="bare rest-of" onClick={() => showAll(true)}>
          {w.moreCameras(tiles.length - FEW)}
        </button>
      )}
    </section>
  );
}
