// The record: who did what.
import { useEffect, useState } from "preact/hooks";

import { hub, type LogEntry } from "../api";
import { deedOf } from "../sentences";
import { complain, nameOf, zone } from "../state";
import { fullTime } from "../time";
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
