// What happened: filters, and the visits of each day.
import { useState } from "preact/hooks";

import { isNarrowed } from "../route";
import { markAllSeen, marks } from "../seen";
import { house, incidents, list, loaded, more, next, session, unreadable, visits, zone } from "../state";
import { dayOf } from "../time";
import type { Visit } from "../visits";
import { words } from "../words";
import { Chunk, End } from "./chunk";
import { Filters, nameOfDay } from "./filters";
import { Icon } from "./icons";
import { isUnseen, Row } from "./row";

/** Rows that come and go together. */
const TOGETHER = 20;
const GHOSTS = 6;

function byDay(list: readonly Visit[]): [string, Visit[]][] {
  const groups = new Map<string, Visit[]>();
  for (const visit of list) {
    const day = dayOf(visit.incidents[0].start, zone.value);
    const group = groups.get(day);
    if (group) group.push(visit);
    else groups.set(day, [visit]);
  }
  return [...groups];
}

/** `list` in parts, counted from its end: a new visit changes the first part alone. */
function inParts(list: readonly Visit[]): Visit[][] {
  const first = list.length % TOGETHER || TOGETHER;
  const parts = [list.slice(0, first)];
  for (let at = first; at < list.length; at += TOGETHER) parts.push(list.slice(at, at + TOGETHER));
  return parts;
}

function Day({ day, visits }: { day: string; visits: Visit[] }) {
  return (
    <div>
      <h3 class="day">{nameOfDay(day)}</h3>
      {inParts(visits).map((part) => (
        <Chunk key={part[part.length - 1]!.incidents[0].id}>
          {() => (
            <ul>
              {part.map((visit) => (
                <Row visit={visit} key={visit.incidents[visit.incidents.length - 1]!.id} />
              ))}
            </ul>
          )}
        </Chunk>
      ))}
    </div>
  );
}

function Nothing({ unseenOnly }: { unseenOnly: boolean }) {
  const w = words.value;
  const [said, hint] = unseenOnly ? [w.allSeen, ""] : isNarrowed.value ? [w.nothing, w.nothingHint] : [w.nothingYet, w.nothingYetHint];
  return (
    <div class="blank">
      <Icon name="good" />
      <b>{said}</b>
      {hint && <small>{hint}</small>}
    </div>
  );
}

function List({ shown, unseenOnly }: { shown: Visit[]; unseenOnly: boolean }) {
  const w = words.value;
  if (unreadable.value) {
    return (
      <div class="blank" role="alert">
        <b>{w.unreadable}</b>
        <button type="button" onClick={() => void list()}>
          {w.tryAgain}
        </button>
      </div>
    );
  }
  if (!loaded.value || !house.value) {
    return (
      <div aria-busy="true">
        {Array.from({ length: GHOSTS }, (_, at) => (
          <div class="ghost" key={at} />
        ))}
      </div>
    );
  }
  // What is older than the first visit of this browser counts as seen: there is nothing to look for.
  const oldest = incidents.value[incidents.value.length - 1];
  const goesOn = next.value !== null && !(unseenOnly && oldest && oldest.start < marks.value.from);
  if (shown.length === 0 && !goesOn) return <Nothing unseenOnly={unseenOnly} />;
  return (
    <>
      {byDay(shown).map(([day, visits]) => (
        <Day day={day} visits={visits} key={day} />
      ))}
      {goesOn && (
        <>
          <End onNear={() => void more()} turn={incidents.value.length} />
          <button type="button" class="bare more" onClick={() => void more()}>
            {w.more}
          </button>
        </>
      )}
    </>
  );
}

export function Happened() {
  const w = words.value;
  const [unseenOnly, setUnseenOnly] = useState(false);
  const unseen = visits.value.filter(isUnseen);
  if (session.value && session.value.state !== "open") return null;
  return (
    <section class="card happened" aria-labelledby="incidents">
      <div class="heading">
        <h2 id="incidents">{w.incidents}</h2>
        {(unseen.length > 0 || unseenOnly) && (
          <button type="button" class="bare" aria-pressed={unseenOnly} onClick={() => setUnseenOnly(!unseenOnly)}>
            <Icon name="eye" />
            {w.unseenOnly(`${unseen.length}`)}
          </button>
        )}
      </div>
      <Filters />
      {unseenOnly && unseen.length > 0 && (
        <button type="button" class="bare" onClick={() => markAllSeen(Date.now())}>
          {w.markAllSeen}
        </button>
      )}
      <List shown={unseenOnly ? unseen : visits.value} unseenOnly={unseenOnly} />
    </section>
  );
}
