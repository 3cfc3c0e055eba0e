// The cameras: a sentence, a picture of now and a switch for each.
import type { Camera, House } from "../api";
import { cameraSentence, toneOf, type Tone } from "../sentences";
import { asked, keyOf, mayChange, setMode } from "../state";
import { words, type Words } from "../words";
import { ToneIcon } from "./icons";
import { Still } from "./still";

const toneWord = (tone: Tone, w: Words) => (tone === "good" ? w.watching : tone === "paused" ? w.paused : w.problem);

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
      <span aria-hidden="true">{wanted ? w.asking : w.watchShort}</span>
    </div>
  );
}

function One({ camera }: { camera: Camera }) {
  const w = words.value;
  const tone = toneOf(camera);
  return (
    <li class={`camera ${tone}`}>
      <Still from={camera.still} alt={w.pictureOf(camera.name)} none={w.noPicture} />
      <div class="facts">
        <h3>
          <ToneIcon tone={tone} />
          {camera.name}
          <span class={`tone ${tone}`}>{toneWord(tone, w)}</span>
        </h3>
        <p>{cameraSentence(camera, w)}</p>
        {camera.problem && <p class="why" lang="en">{camera.problem}</p>}
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
      <ul class="cameras">
        {house.cameras.map((camera) => (
          <One camera={camera} key={keyOf(camera)} />
        ))}
      </ul>
    </section>
  );
}
