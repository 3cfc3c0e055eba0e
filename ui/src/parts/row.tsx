// A visit in the list: who came, where, when and for how long. One row, no taller than its picture.
import { addressOf } from "../route";
import { isSeen, marks } from "../seen";
import { incidentTitle, labelOf, whereOf } from "../sentences";
import { placeOf, zone } from "../state";
import { clockTime, duration } from "../time";
import { lengthOf, type Visit } from "../visits";
import { language, words } from "../words";
import { Crop } from "./crop";

/** Whether something of it has not been looked at. */
export const isUnseen = (visit: Visit): boolean => visit.incidents.some((incident) => !isSeen(marks.value, incident));

export function Row({ visit }: { visit: Visit }) {
  const w = words.value;
  const { incidents } = visit;
  const [newest] = incidents;
  const place = placeOf(newest);
  const time = clockTime(visit.start, zone.value, language.value);
  const seconds = lengthOf(visit);
  const many = incidents.length > 1;
  const now = newest.state !== "ended";
  // Of several, whole minutes say enough.
  const length = seconds === null ? "" : duration(many && seconds > 60 ? Math.round(seconds / 60) * 60 : seconds);
  const times = many ? w.visits(incidents.length) : "";
  const unseen = isUnseen(visit);
  const line = many ? `${place}, ${times}` : whereOf(newest.zones, place);
  const said = w.openIncident([incidentTitle(newest, place, w), times].filter(Boolean).join(", "), time);
  return (
    <li data-incident={newest.id} data-visit={incidents.map(({ id }) => id).join(" ")}>
      <a class={now ? "row now" : "row"} href={addressOf(`incident/${newest.id}`)} aria-label={unseen ? `${w.unseenMark} ${said}` : said}>
        <span class={many ? "pile many" : "pile"}>
          <Crop incident={newest} />
        </span>
        <span>
          <b>
            {unseen && <span class="dot" />}
            {labelOf(newest, w)}
          </b>
          {newest.test && <span class="tag">{w.test}</span>}
          <span class="line">{line}</span>
        </span>
        <span class="when num">
          <time>{time}</time>
          <br />
          {now ? <span class="tag notice">{w.goingOn}</span> : length}
        </span>
      </a>
    </li>
  );
}
