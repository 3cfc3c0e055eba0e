// The record: who did what.
import { useEffect, useState } from "preact/hooks";

import { hub, type LogEntry } from "../api";
import { complain, zone } from "../state";
import { fullTime } from "../time";
import { language, words, type Words } from "../words";

function deed(what: string, w: Words): string {
  const key = `did_${what}` as keyof Words;
  const text = w[key];
  return typeof text === "string" ? text : what;
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
    <>
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
                <td>{entry.account}</td>
                <td>
                  {deed(entry.what, w)} <span class="detail">{entry.detail}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
