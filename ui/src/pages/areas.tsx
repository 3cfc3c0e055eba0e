// Zones and masks of one camera.
import { useEffect, useState } from "preact/hooks";

import { Failure, at, hub, type Areas, type Point } from "../api";
import { Canvas } from "../areas/canvas";
import { FEWEST, withArea, withZone, withoutArea, type Kind } from "../areas/geometry";
import { holdPage } from "../route";
import { failureText, house, mayChange } from "../state";
import { words, type Words } from "../words";

const KINDS: Kind[] = ["zone", "motion", "privacy"];
const nameOf = (kind: Kind, w: Words) => ({ zone: w.kindZone, motion: w.kindMotion, privacy: w.kindPrivacy })[kind];
const drawOf = (kind: Kind, w: Words) => ({ zone: w.drawZone, motion: w.drawMotion, privacy: w.drawPrivacy })[kind];
const helpOf = (kind: Kind, w: Words) => ({ zone: w.zoneHelp, motion: w.motionHelp, privacy: w.privacyHelp })[kind];

/** One picture to draw on; asked for until there is one. */
function usePicture(from: string): string | null {
  const [picture, setPicture] = useState<string | null>(null);
  useEffect(() => {
    let over = false;
    let shown: string | null = null;
    const load = async () => {
      const answer = await fetch(at(from), { cache: "no-store", credentials: "same-origin" }).catch(() => null);
      if (over) return;
      if (answer?.ok) {
        shown = URL.createObjectURL(await answer.blob());
        setPicture(shown);
      } else setTimeout(() => void load(), 1000);
    };
    void load();
    return () => {
      over = true;
      if (shown) URL.revokeObjectURL(shown);
    };
  }, [from]);
  return picture;
}

interface ListProps {
  areas: Areas;
  onChange: (areas: Areas) => void;
}

function Drawn({ areas, onChange }: ListProps) {
  const w = words.value;
  const masks: [Kind, number][] = [
    ...areas.motion_mask.map((_, index): [Kind, number] => ["motion", index]),
    ...areas.privacy_mask.map((_, index): [Kind, number] => ["privacy", index]),
  ];
  const remove = (kind: Kind, index: number, what: string) => (
    <button type="button" aria-label={w.deleteArea(what)} onClick={() => onChange(withoutArea(areas, kind, index))}>
      {w.remove}
    </button>
  );
  return (
    <section aria-labelledby="drawn">
      <h2 id="drawn">{w.drawn}</h2>
      {areas.zones.length + masks.length === 0 && <p class="hint">{w.noAreas}</p>}
      <ul class="plain-list">
        {areas.zones.map((zone, index) => (
          <li key={`zone${index}`} class="zone-row">
            <span class="swatch zone" aria-hidden="true" />
            <label>
              {w.zoneName}
              <input value={zone.name} maxLength={40} onInput={(event) => onChange(withZone(areas, index, { name: event.currentTarget.value }))} />
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={zone.required}
                onChange={(event) => onChange(withZone(areas, index, { required: event.currentTarget.checked }))}
              />
              {w.required}
            </label>
            <label>
              {w.loiter}
              <input
                type="number"
                min={1}
                max={3600}
                value={zone.loiter ?? ""}
                onInput={(event) => {
                  const seconds = Number(event.currentTarget.value);
                  onChange(withZone(areas, index, { loiter: seconds > 0 ? seconds : null }));
                }}
              />
            </label>
            {remove("zone", index, zone.name)}
          </li>
        ))}
        {masks.map(([kind, index]) => {
          const what = w.areaOf(nameOf(kind, w), index + 1);
          return (
            <li key={`${kind}${index}`}>
              <span class={`swatch ${kind}`} aria-hidden="true" />
              {what} {remove(kind, index, what)}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

export function AreasPage({ site, camera }: { site: string; camera: string }) {
  const w = words.value;
  const known = house.value?.cameras.find((one) => one.site === site && one.id === camera);
  const name = known?.name ?? camera;
  const picture = usePicture(`/api/cameras/${site}/${camera}/still.jpg`);
  const [areas, setAreas] = useState<Areas | null>(null);
  /** As the box knows them. */
  const [kept, setKept] = useState<Areas | null>(null);
  const [drawing, setDrawing] = useState<{ kind: Kind; corners: Point[] } | null>(null);
  const [said, setSaid] = useState<{ text: string; bad: boolean; detail?: string } | null>(null);
  const [busy, setBusy] = useState(false);

  // What the box says itself is in English, and more exact.
  const fail = (error: unknown) =>
    setSaid({ text: failureText(error), bad: true, detail: error instanceof Failure ? error.message : "" });
  const taken = (areas: Areas) => {
    setAreas(areas);
    setKept(areas);
  };
  const elsewhere = known?.editable === false;
  useEffect(() => {
    if (!elsewhere) hub.areas(site, camera).then(taken).catch(fail);
  }, [site, camera, elsewhere]);

  // Leaving with something unsaved is asked about: within the page, and by the browser where it is closed.
  const unsaved = (drawing?.corners.length ?? 0) > 0 || areas !== kept;
  useEffect(() => {
    if (!unsaved) return undefined;
    const release = holdPage(() => confirm(words.value.unsaved));
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => {
      release();
      removeEventListener("beforeunload", ask);
    };
  }, [unsaved]);

  const finish = () => {
    if (!drawing || !areas) return;
    setAreas(withArea(areas, drawing.kind, drawing.corners, w.newZone));
    setDrawing(null);
    setSaid(null);
  };
  const save = async () => {
    if (!areas) return;
    setBusy(true);
    setSaid({ text: w.saving, bad: false });
    try {
      taken(await hub.draw(site, camera, areas));
      setSaid({ text: w.saved, bad: false });
    } catch (error) {
      fail(error);
    }
    setBusy(false);
  };
  return (
    <div class="text">
      <p>
        <a href="#/settings">{w.back}</a>
      </p>
      <h1>{w.areasTitle(name)}</h1>
      {elsewhere && <p>{w.areasElsewhere(site)}</p>}
      {areas && mayChange.value && (
        <>
          <p>{drawing ? w.drawing : w.areasHelp}</p>
          {drawing ? (
            <div class="actions">
              <button type="button" class="main" disabled={drawing.corners.length < FEWEST} onClick={finish}>
                {w.done}
              </button>
              <button type="button" onClick={() => setDrawing(null)}>
                {w.cancel}
              </button>
            </div>
          ) : (
            <ul class="kinds">
              {KINDS.map((kind) => (
                <li key={kind}>
                  <button type="button" disabled={!picture} onClick={() => setDrawing({ kind, corners: [] })}>
                    <span class={`swatch ${kind}`} aria-hidden="true" />
                    {drawOf(kind, w)}
                  </button>
                  <span class="hint">{helpOf(kind, w)}</span>
                </li>
              ))}
            </ul>
          )}
          {picture ? (
            <Canvas
              picture={picture}
              areas={areas}
              drawing={drawing}
              onCorners={(corners) => drawing && setDrawing({ ...drawing, corners })}
              onDone={finish}
              onGiveUp={() => setDrawing(null)}
            />
          ) : (
            <p class="hint">{w.needsPicture}</p>
          )}
          <Drawn areas={areas} onChange={setAreas} />
          <div class="actions">
            <button type="button" class="main" disabled={busy || drawing !== null} onClick={() => void save()}>
              {w.save}
            </button>
          </div>
        </>
      )}
      <p role="status" class={said?.bad ? "trouble" : "said"}>
        {said?.text}
        {said?.detail && <span lang="en"> {said.detail}</span>}
      </p>
    </div>
  );
}
