// A part of a recording as a file, and the facts that are said of it.
import { useState } from "preact/hooks";

import { fieldTime, instant } from "../day";
import { address } from "../recordings";
import { zone } from "../state";
import { words } from "../words";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

/** What is offered at first: a little before the cursor, and a few minutes after, in milliseconds. */
const BEFORE = 30_000;
const AFTER = 270_000;

interface Props {
  camera: string;
  day: string;
  at: number;
  onClose: () => void;
}

export function SavePart({ camera, day, at, onClose }: Props) {
  const w = words.value;
  const [from, setFrom] = useState(() => fieldTime(at - BEFORE, zone.value));
  const [to, setTo] = useState(() => fieldTime(at + AFTER, zone.value));
  const [begins, ends] = [instant(day, from, zone.value), instant(day, to, zone.value)];
  const range = begins !== null && ends !== null && begins < ends ? ([begins, ends] as const) : null;
  return (
    <Dialog title={w.savePart} onClose={onClose}>
      <p>{w.savePartText}</p>
      <div class="from-to">
        <label>
          {w.saveFrom}
          <input type="time" step={1} required value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        </label>
        <label>
          {w.saveTo}
          <input type="time" step={1} required value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        </label>
      </div>
      {range ? (
        <div class="steps">
          <a class="button main" href={address(camera, "export.mp4", ...range)} download>
            <Icon name="load" />
            {w.saveFilm}
          </a>
          <a class="button" href={address(camera, "export.json", ...range)} download>
            {w.saveFacts}
          </a>
        </div>
      ) : (
        <p class="trouble" role="alert">
          {w.saveWrong}
        </p>
      )}
      <p class="hint">{w.saveFactsText}</p>
    </Dialog>
  );
}
