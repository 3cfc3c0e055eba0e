// The lane of a day: what is recorded, what is missing, visits, and the cursor that is dragged along it.
import type { Incident, Timeline } from "../api";
import { zone } from "../state";
import { clockSeconds, clockTime } from "../time";
import { language, words } from "../words";

const HOUR = 3_600_000;

interface Props {
  label: string;
  /** When the day begins and ends. */
  day: [number, number];
  hours: number;
  timeline: Timeline;
  visits: Incident[];
  at: number;
  onMove: (at: number) => void;
  onPlay: (at: number) => void;
}

/** What is shown of a day around `at`: it moves in steps of a quarter of itself, so that it does not slide under a finger. */
export function windowOf([from, to]: [number, number], hours: number, at: number): [number, number] {
  const whole = to - from;
  const shown = hours >= 24 ? whole : Math.min(hours * HOUR, whole);
  const step = shown / 4;
  const begins = from + Math.floor((at - from) / step) * step - shown / 2;
  const first = Math.min(Math.max(begins, from), to - shown);
  return [first, first + shown];
}

/** Times under the lane, as many as a phone has room for, and twice as many elsewhere. */
function axis([first, last]: [number, number], hours: number): number[] {
  const some = hours >= 24 ? 4 * HOUR : hours >= 6 ? HOUR : HOUR / 4;
  const step = matchMedia("(max-width: 42.49em)").matches ? 2 * some : some;
  const marks: number[] = [];
  for (let at = Math.ceil(first / step) * step; at <= last; at += step) marks.push(at);
  return marks;
}

export function Lane({ label, day, hours, timeline, visits, at, onMove, onPlay }: Props) {
  const w = words.value;
  const shown = windowOf(day, hours, at);
  const [first, last] = shown;
  const share = (ms: number) => ((ms - first) / (last - first)) * 100;
  const place = (from: number, to: number) => ({ left: `${share(from)}%`, width: `${share(to) - share(from)}%` });
  const within = ({ from, to }: { from: number; to: number }) => from < last && to > first;
  const ended = (visit: Incident) => visit.end ?? visit.start + 5000;
  const now = Date.now();
  const time = (ms: number) => clockTime(ms, zone.value, language.value);
  return (
    <section class="card lanes" aria-label={label}>
      <div class="lane">
        <div class="day-track" aria-hidden="true">
          {timeline.spans.filter(within).map((span) => (
            <i class="r" key={span.from} style={place(span.from, span.to)} />
          ))}
          {timeline.gaps.filter(within).map((gap) => (
            <i class={gap.why === "paused" ? "z" : "g"} key={gap.from} style={place(gap.from, gap.to)} />
          ))}
          {visits
            .filter((visit) => within({ from: visit.start, to: ended(visit) }))
            .map((visit) => (
              <i class="a" key={visit.id} style={place(visit.start, ended(visit))} />
            ))}
          {now < last && <i class="f" style={place(Math.max(now, first), last)} />}
        </div>
        <div class="cursor" style={{ left: `${Math.min(100, Math.max(0, share(at)))}%` }} aria-hidden="true" />
        <input
          type="range"
          min={first}
          max={last}
          step={1000}
          value={at}
          aria-label={w.timeOfDay}
          aria-valuetext={clockSeconds(at, zone.value, language.value)}
          onInput={(event) => onMove(Number(event.currentTarget.value))}
          onChange={(event) => onPlay(Number(event.currentTarget.value))}
        />
      </div>
      <div class="axis num" aria-hidden="true">
        {axis(shown, hours).map((mark) => (
          <span key={mark} class={share(mark) < 4 ? "first" : share(mark) > 96 ? "last" : ""} style={{ left: `${share(mark)}%` }}>
            {time(mark)}
          </span>
        ))}
      </div>
    </section>
  );
}
