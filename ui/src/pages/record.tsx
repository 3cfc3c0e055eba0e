// The record: who did what.
import { useEffect, useState } from "preact/hooks";

import { hub, type LogEntry, type Marks } from "../api";
import { deedOf } from "../sentences";
import { complain, nameOf, zone } from "../state";
import { fullDay, fullTime } from "../time";
import { language, words } from "../words";

function Deed({ entry }: { entry: LogEntry }) {
  const w = words.value;
  const { text, incident, detail } = deedOf(entry.what, entry.detail, (site, id) => entry.about || nameOf(site, id), w);
  return (
    <td>
      {text} {detail && <span class="detail">{detail}</span>} {incident && <a href={`#/incident/${incident}`}>{w.clipLink}</a>}
    </td>
  );
}

/** What is kept, and how often it was a false alarm. */
function Kept() {
  const w = words.value;
  const [marks, setMarks] = useState<Marks | null>(null);
  useEffect(() => void hub.marks().then(setMarks, complain), []);
  if (!marks || (marks.kept.length === 0 && marks.false_alarms === 0)) return null;
  return (
    <section aria-labelledby="kept">
      {marks.kept.length > 0 && (
        <>
          <h2 id="kept">{w.keptTitle}</h2>
          <p class="hint">{w.keptText}</p>
          <ul class="plain-list">
            {marks.kept.map((one) => (
              <li key={one.id}>
                <a href={`#/incident/${one.id}`}>{`${nameOf(one.site, one.camera)}, ${fullTime(one.start, zone.value, language.value)}`}</a>
                <span>
                  {one.until === null ? w.keptOn : w.keptUntil(fullDay(one.until, zone.value, language.value))} {one.reason}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      {marks.false_alarms > 0 && <p>{w.falseAlarms(marks.false_alarms)}</p>}
    </section>
  );
}

export function RecordPage() {
  const w = words.value;
  const [entries, setEntries] = useState<LogEntry[]>([]);
  useEffect(() => {
    hub
      .log()
      .then(({ entries }) => setEntries(entries))
      .catch(complain);
  }, []);
  return (
    <div class="text">
      <h1>{w.record}</h1>
      <Kept />
      <p>{w.recordText}</p>
      <div class="scroll" tabIndex={0} role="region" aria-label={w.record}>
        <table>
          <thead>
            <tr>
              <th scope="col">{w.when}</th>
              <th scope="col">{w.who}</th>
              <th scope="col">{w.what}</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry, index) => (
              <tr key={index}>
                <td>{fullTime(entry.at, zone.value, language.value)}</td>
                <td>{entry.account || w.somebody}</td>
                <Deed entry={entry} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
