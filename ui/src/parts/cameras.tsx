// The cameras: a sentence, a picture of now and a switch for each.
import type { Camera, House } from "../api";
import { Live } from "../live";
import { reasonOf } from "../reasons";
import { cameraSentence, toneOf, type Tone } from "../sentences";
import { asked, keyOf, mayChange, setMode } from "../state";
import { words, type Words } from "../words";
import { ToneIcon } from "./icons";

const toneWord = (tone: Tone, w: Words) => ({ good: w.watching, attention: w.attention, paused: w.paused, problem: w.problem })[tone];

/** The part of the page that shows a camera. */
export const placeOfCamera = (camera: { site: string; id: string }) => `camera-${camera.site}-${camera.id}`;

function Switch({ camera }: { camera: Camera }) {
  const w = words.value;
  const wanted = asked.value[keyOf(camera)];
  const on = (wanted ?? camera.mode) === "armed";
  // While the box is asked the switch stays where the keyboard left it: one that is disabled would lose the focus.
  const waiting = wanted !== undefined;
  return (
    <div class="switch-row">
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
      <span aria-hidden="true">{wanted ? w.asking : on ? w.watchShort : w.paused}</span>
    </div>
  );
}

/** Why it is not well: in the reader's words, or in the box's own. */
function Why({ camera }: { camera: Camera }) {
  if (!camera.problem) return null;
  const why = reasonOf(camera.problem, words.value);
  return (
    <p class="why" lang={why ? undefined : "en"}>
      {why ?? camera.problem}
    </p>
  );
}

function One({ camera }: { camera: Camera }) {
  const w = words.value;
  const tone = toneOf(camera);
  return (
    <li class={`camera ${tone}`} id={placeOfCamera(camera)} tabIndex={-1}>
      <Live camera={camera} still={camera.still} alt={w.pictureOf(camera.name)} none={tone === "paused" ? w.paused : w.noPicture} loading={w.loading} />
      <div class="facts">
        <h3>
          <ToneIcon tone={tone} />
          {camera.name}
          <span class={`tone ${tone}`}>{toneWord(tone, w)}</span>
        </h3>
        {tone !== "attention" && <p>{cameraSentence(camera, w)}</p>}
        <Why camera={camera} />
        <div class="actions">
          <Switch camera={camera} />
          {mayChange.value && (
            <a class="button" href={`#/areas/${camera.site}/${camera.id}`} aria-label={`${w.drawAreas}: ${camera.name}`}>
              {w.drawAreas}
            </a>
          )}
        </div>
      </div>
    </li>
  );
}

export function Cameras({ house }: { house: House }) {
  const w = words.value;
  if (house.cameras.length === 0) return null;
  const some = (mode: string) => house.cameras.some((camera) => camera.mode === mode);
  const homes = new Set(house.cameras.map((camera) => camera.site));
  return (
    <section aria-labelledby="cameras">
      <div class="row">
        <h2 id="cameras">{w.cameras}</h2>
        {house.cameras.length > 1 && (
          <div class="actions" role="group" aria-label={w.houseSwitch}>
            <button type="button" disabled={!mayChange.value || !some("disarmed")} onClick={() => void setMode("armed", house.cameras)}>
              {w.armAll}
            </button>
            <button type="button" disabled={!mayChange.value || !some("armed")} onClick={() => void setMode("disarmed", house.cameras)}>
              {w.disarmAll}
            </button>
          </div>
        )}
      </div>
      {!mayChange.value && <p class="hint">{w.viewerOnly}</p>}
      {[...homes].map((site) => (
        <div key={site}>
          {homes.size > 1 && <h3 class="home">{site}</h3>}
          <ul class="cameras">
            {house.cameras
              .filter((camera) => camera.site === site)
              .map((camera) => (
                <One camera={camera} key={keyOf(camera)} />
              ))}
          </ul>
        </div>
      ))}
    </section>
  );
}
