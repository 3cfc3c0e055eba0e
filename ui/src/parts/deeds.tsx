// What can be done with an incident: keep it, call it a false alarm, download it, delete it. What was done stays beside the buttons,
// and can be undone there.
import { useState } from "preact/hooks";

import { at, hub, type Incident } from "../api";
import { complain, mayChange, tookGone, tookIncident, zone } from "../state";
import { fullDay } from "../time";
import { language, words } from "../words";
import { Dialog } from "./dialog";
import { Icon } from "./icons";

const DAY_MS = 86_400_000;
/** How long something is kept, in days. */
const TERMS = [30, 90, 365] as const;

const send = (asked: Promise<{ incident: Incident }>) => asked.then(({ incident }) => tookIncident(incident), complain);

function KeepForm({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const w = words.value;
  const [days, setDays] = useState<number>(TERMS[1]);
  const until = (days: number) => Date.now() + days * DAY_MS;
  const name = (term: number) => ({ 30: w.keepMonth, 90: w.keepQuarter, 365: w.keepYear })[term] ?? "";
  const keep = (event: SubmitEvent) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget as HTMLFormElement).get("reason") ?? "");
    void send(hub.keep(incident.id, reason, until(days))).then(onClose);
  };
  return (
    <Dialog title={w.keepTitle} onClose={onClose}>
      <form class="stack" onSubmit={keep}>
        <p class="soft">{w.keepText}</p>
        <label>
          {w.keepReason}
          <input name="reason" maxLength={200} autocomplete="off" />
        </label>
        <fieldset>
          <legend class="unseen">{w.keepHowLong}</legend>
          {TERMS.map((term) => (
            <label class="pick" key={term}>
              <input type="radio" name="term" checked={days === term} onChange={() => setDays(term)} />
              {w.keepUntil(name(term), fullDay(until(term), zone.value, language.value))}
            </label>
          ))}
        </fieldset>
        <div class="actions">
          <button type="submit" class="main">
            {w.keep}
          </button>
          <button type="button" class="bare" onClick={onClose}>
            {w.cancel}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function DeleteForm({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const w = words.value;
  return (
    <Dialog title={w.deleteTitle} onClose={onClose}>
      <p>{w.deleteText}</p>
      <div class="actions">
        <button type="button" class="risk sure" onClick={() => void hub.remove(incident.id).then(() => tookGone(incident.id), complain)}>
          {w.deleteSure}
        </button>
        <button type="button" class="bare" onClick={onClose}>
          {w.cancel}
        </button>
      </div>
    </Dialog>
  );
}

/** What was done, and the way to undo it. */
function Done({ text, undo, onUndo }: { text: string; undo: string; onUndo: () => void }) {
  return (
    <div class="kept" role="status">
      <span>{text}</span>
      {mayChange.value && (
        <button type="button" class="plain" onClick={onUndo}>
          {undo}
        </button>
      )}
    </div>
  );
}

function Said({ incident }: { incident: Incident }) {
  const w = words.value;
  const { kept, false_alarm } = incident;
  const until = kept?.until ? w.keptUntil(fullDay(kept.until, zone.value, language.value)) : w.keptOn;
  return (
    <>
      {kept && <Done text={kept.reason ? `${until} ${kept.reason}` : until} undo={w.keepEnd} onUndo={() => void send(hub.endKeep(incident.id))} />}
      {false_alarm && <Done text={w.falseAlarmSaid} undo={w.undo} onUndo={() => void send(hub.falseAlarm(incident.id, false))} />}
    </>
  );
}

function Downloads({ incident }: { incident: Incident }) {
  const w = words.value;
  const { clip } = incident;
  if (!clip.download) return null;
  return (
    <>
      {Array.from({ length: Math.max(clip.parts, 1) }, (_, part) => (
        <a key={part} class="button" href={at(`${clip.download}?part=${part + 1}`)} download>
          <Icon name="load" />
          {clip.parts > 1 ? w.downloadPart(part + 1) : w.download}
        </a>
      ))}
    </>
  );
}

export function Deeds({ incident }: { incident: Incident }) {
  const w = words.value;
  const [asking, setAsking] = useState<"keep" | "delete" | null>(null);
  const close = () => setAsking(null);
  return (
    <section class="stack" aria-label={w.deeds}>
      <Said incident={incident} />
      {incident.clip.parts > 1 && <p class="hint">{w.inParts}</p>}
      <div class="doing">
        {mayChange.value && !incident.kept && (
          <button type="button" onClick={() => setAsking("keep")}>
            <Icon name="keep" />
            {w.keep}
          </button>
        )}
        {mayChange.value && !incident.false_alarm && (
          <button type="button" onClick={() => void send(hub.falseAlarm(incident.id, true))}>
            <Icon name="no" />
            {w.falseAlarm}
          </button>
        )}
        <Downloads incident={incident} />
      </div>
      {mayChange.value && incident.deletable && !incident.kept && incident.end !== null && (
        <button type="button" class="risk" onClick={() => setAsking("delete")}>
          <Icon name="bin" />
          {w.delete}
        </button>
      )}
      {asking === "keep" && <KeepForm incident={incident} onClose={close} />}
      {asking === "delete" && <DeleteForm incident={incident} onClose={close} />}
    </section>
  );
}
