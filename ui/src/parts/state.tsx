// The first thing on the page: how the home is, in one sentence; why, where something is wrong; and the way to pause.
import { isNarrowed } from "../route";
import { connected, current, house, incidents, zone } from "../state";
import { houseSentence, type Fault, type State, type Tone } from "../sentences";
import { clockTime, dayOf } from "../time";
import { language, words, type Words } from "../words";
import { Icon } from "./icons";
import { Pause } from "./pause";

/** Faults that are listed at once. */
const FEW = 3;

const MEANING: Record<Tone | "wait", string> = { good: "well", attention: "notice", paused: "rest", problem: "fault", wait: "none" };

function What({ fault }: { fault: Fault }) {
  return (
    <li>
      {fault.about && <strong>{fault.about}</strong>} <Why fault={fault} />
    </li>
  );
}

/** In the reader's words, or in the box's own. */
function Why({ fault }: { fault: Fault }) {
  return (
    <>
      {fault.why} {fault.said && <span lang="en">{fault.said}</span>}
    </>
  );
}

function Faults({ faults }: { faults: Fault[] }) {
  const w = words.value;
  if (faults.length === 0) return null;
  const list = (some: Fault[]) => some.map((fault, at) => <What fault={fault} key={at} />);
  return (
    <>
      <ul>{list(faults.slice(0, FEW))}</ul>
      {faults.length > FEW && (
        <details>
          <summary>{w.moreFaults(faults.length - FEW)}</summary>
          <ul>{list(faults.slice(FEW))}</ul>
        </details>
      )}
    </>
  );
}

function now(w: Words): State | { tone: "wait"; text: string; detail: string; faults: Fault[] } {
  if (!connected.value) return { tone: "problem", text: w.noConnection, detail: w.noConnectionWhy, faults: [] };
  if (!house.value) return { tone: "wait", text: w.loading, detail: w.loadingWhy, faults: [] };
  return houseSentence(house.value, current.value, w);
}

export function StateBar() {
  const w = words.value;
  const { tone, text, detail, faults } = now(w);
  const last = tone === "good" && !isNarrowed.value ? incidents.value[0] : undefined;
  const isToday = last && dayOf(last.start, zone.value) === dayOf(Date.now(), zone.value);
  const when = isToday ? w.lastVisit(clockTime(last.start, zone.value, language.value)) : "";
  // Where the headline names the one thing that is wrong, that is not named again.
  const named = faults.length === 1 && tone === "problem" && text.includes(faults[0]?.about ?? "") ? faults[0] : undefined;
  return (
    <section class={`state ${MEANING[tone]}`}>
      <Icon name={tone} />
      <div>
        <h1>{text}</h1>
        {(detail || when) && <p>{[detail, when].filter(Boolean).join(" ")}</p>}
        {named && (
          <p>
            <Why fault={named} />
          </p>
        )}
      </div>
      <Pause />
      {!named && <Faults faults={faults} />}
    </section>
  );
}
