// The day of one camera: what is recorded, what is missing and why, the visits as marks; played from wherever it is tapped.
import { useEffect, useState } from "preact/hooks";

import type { Incident, Timeline } from "../api";
import { bounds, dayAfter } from "../day";
import { Film, why } from "../parts/film";
import { Icon } from "../parts/icons";
import { Lane } from "../parts/lane";
import { SavePart } from "../parts/save-part";
import { askRecorded, ofDay, recorded } from "../recordings";
import { addressOf } from "../route";
import { complain, nameOf, zone } from "../state";
import { clockSeconds, dayBefore, dayInWords, dayOf, duration } from "../time";
import { language, words } from "../words";

/** Hours that are shown at once. */
const SPANS = [24, 6, 1];
/** How much is played at once, in milliseconds: then the next part follows. */
const AT_ONCE = 3_600_000;
/** How often today is asked about again, in milliseconds. */
const AGAIN = 15_000;
/** A visit is played from a little before it, in milliseconds. */
const LEAD = 3000;

interface Day {
  timeline: Timeline;
  visits: Incident[];
}

/** What there is of a day; null while nobody knows. */
function useDay(site: string, camera: string, day: string, from: number, to: number): Day | null {
  const [known, setKnown] = useState<{ day: string; found: Day } | null>(null);
  useEffect(() => {
    let over = false;
    const load = () =>
      ofDay(site, camera, day, from, to).then(
        (found) => !over && setKnown({ day, found }),
        (error: unknown) => !over && complain(error),
      );
    void load();
    const timer = to > Date.now() ? setInterval(load, AGAIN) : undefined;
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [site, camera, day, from, to]);
  return known?.day === day ? known.found : null;
}

function PickDay({ day, onDay, hours, onHours }: { day: string; onDay: (day: string) => void; hours: number; onHours: (hours: number) => void }) {
  const w = words.value;
  const today = dayOf(Date.now(), zone.value);
  return (
    <div class="pickday">
      <button type="button" class="bare" aria-label={w.dayBefore} onClick={() => onDay(dayBefore(day))}>
        <Icon name="left" />
      </button>
      <h1>{dayInWords(day, language.value)}</h1>
      <button type="button" class="bare" aria-label={w.dayAfter} disabled={day >= today} onClick={() => onDay(dayAfter(day))}>
        <Icon name="right" />
      </button>
      <div class="span" role="group" aria-label={w.howMuch}>
        {SPANS.map((one) => (
          <button type="button" key={one} aria-pressed={hours === one} onClick={() => onHours(one)}>
            {one === 24 ? w.wholeDay : w.hours(one)}
          </button>
        ))}
      </div>
    </div>
  );
}

function Legend() {
  const w = words.value;
  const marks = [["r", w.markRecorded], ["a", w.markVisit], ["z", w.markPaused], ["g", w.markMissing]];
  return (
    <ul class="legend">
      {marks.map(([mark, says]) => (
        <li key={mark}>
          <span>
            <i class={mark} />
          </span>
          {says}
        </li>
      ))}
    </ul>
  );
}

export function TimelinePage({ site, camera }: { site: string; camera: string }) {
  const w = words.value;
  const [day, setDay] = useState(() => dayOf(Date.now(), zone.value));
  const [hours, setHours] = useState(() => (matchMedia("(max-width: 42.49em)").matches ? 6 : 24));
  const [from, to] = bounds(day, zone.value);
  const [t, setT] = useState(() => Math.min(Date.now() - 60_000, to - 1));
  /** Where the film begins, and whether it plays by itself: at first its picture is shown. */
  const [playing, setPlaying] = useState<number | null>(t);
  const [auto, setAuto] = useState(false);
  const [saving, setSaving] = useState(false);
  const known = useDay(site, camera, day, from, to);
  useEffect(() => void askRecorded(), []);
  const about = recorded.value?.find((one) => one.camera === camera);
  const name = nameOf(site, camera);
  const { timeline, visits } = known ?? { timeline: { spans: [], gaps: [] }, visits: [] };

  const pick = (next: string) => {
    if (!next) return;
    const [begins] = bounds(next, zone.value);
    const noon = Math.min(begins + 12 * AT_ONCE, Date.now() - 60_000);
    setDay(next);
    setT(noon);
    setAuto(false);
    setPlaying(noon);
  };
  const playFrom = (at: number) => {
    setT(at);
    setAuto(true);
    setPlaying(at);
  };
  const before = [...visits].reverse().find((visit) => visit.start - LEAD < t - 2 * LEAD);
  const next = visits.find((visit) => visit.start - LEAD > t + LEAD);
  const time = clockSeconds(t, zone.value, language.value);
  return (
    <div class="day-page">
      <div class="bar">
        <a class="button bare" href={addressOf(`camera/${site}/${camera}`)} aria-label={w.close}>
          <Icon name="close" />
        </a>
        <p class="soft">{name}</p>
      </div>
      <PickDay day={day} onDay={pick} hours={hours} onHours={setHours} />
      <section class="look">
        <Film
          camera={camera}
          name={name}
          timeline={timeline}
          known={known !== null}
          at={t}
          from={playing}
          auto={auto}
          to={Math.min((playing ?? t) + AT_ONCE, to)}
          onTime={setT}
          onEnd={(end) => (end < Math.min(to, Date.now()) - AGAIN ? playFrom(end) : setPlaying(null))}
        />
        <div class="stack">
          <p class="now-at num">{time}</p>
          <p aria-live="polite">{known ? why(timeline, t) : w.loading}</p>
          <div class="steps">
            <button type="button" disabled={!before} onClick={() => before && playFrom(before.start - LEAD)}>
              <Icon name="left" />
              {w.visitBefore}
            </button>
            <button type="button" disabled={!next} onClick={() => next && playFrom(next.start - LEAD)}>
              {w.visitNext}
              <Icon name="right" />
            </button>
            <button type="button" class="main" onClick={() => playFrom(t)}>
              <Icon name="play" solid />
              {w.playHere}
            </button>
            <button type="button" disabled={timeline.spans.length === 0} onClick={() => setSaving(true)}>
              <Icon name="load" />
              {w.savePart}
            </button>
          </div>
          {about && <small>{about.keep_s === null ? w.notRecorded : w.keptFor(duration(about.keep_s))}</small>}
        </div>
      </section>
      <Lane label={w.recordedDay(name)} day={[from, to]} hours={hours} timeline={timeline} visits={visits} at={t} onMove={setT} onPlay={playFrom} />
      <Legend />
      {saving && <SavePart camera={camera} day={day} at={t} onClose={() => setSaving(false)} />}
    </div>
  );
}
