// What is known of an incident.
import type { Incident } from "../api";
import { whereOf } from "../sentences";
import { placeOf, zone } from "../state";
import { clockSeconds, duration } from "../time";
import { language, words } from "../words";

export function Facts({ incident }: { incident: Incident }) {
  const w = words.value;
  const time = (ms: number) => clockSeconds(ms, zone.value, language.value);
  const when =
    incident.end === null || incident.seconds === null
      ? w.since(time(incident.start))
      : w.fromTo(time(incident.start), time(incident.end), duration(incident.seconds));
  const score = new Intl.NumberFormat(language.value, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(incident.score);
  return (
    <section class="card facts-card" aria-label={w.facts}>
      <dl class="facts">
        <dt>{w.factWhen}</dt>
        <dd class="num">{when}</dd>
        <dt>{w.factWhere}</dt>
        <dd>{whereOf(incident.zones, placeOf(incident))}</dd>
        <dt>{w.factScore}</dt>
        <dd class="num">{w.scoreIs(score)}</dd>
        {incident.clock === "unsure" && (
          <>
            <dt>{w.factClock}</dt>
            <dd>{w.clockUnsure}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
