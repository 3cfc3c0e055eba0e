// What the list is narrowed to: day, camera, and what came.
import { filter } from "../route";
import { choose, cameras, days, keyOf, nameOf, zone } from "../state";
import { dayBefore, dayInWords, dayOf } from "../time";
import { language, words } from "../words";

const LABELS = ["person", "bicycle", "car", "cat", "dog"] as const;

export function nameOfDay(day: string): string {
  if (!day) return words.value.dayUnknown;
  const today = dayOf(Date.now(), zone.value);
  if (day === today) return words.value.today;
  return day === dayBefore(today) ? words.value.yesterday : dayInWords(day, language.value);
}

interface Place {
  site: string;
  id: string;
}

/** Cameras to choose from: those that there are, and those that incidents still name; by home. */
function homes(): [site: string, cameras: Place[]][] {
  const all = new Map<string, Place[]>();
  const named = new Set<string>();
  for (const { site, id } of [...cameras.value, ...days.value.cameras]) {
    const key = keyOf({ site, id });
    if (named.has(key)) continue;
    named.add(key);
    all.set(site, [...(all.get(site) ?? []), { site, id }]);
  }
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Cameras() {
  const w = words.value;
  const list = homes();
  const options = (cameras: Place[]) =>
    cameras.map((camera) => (
      <option value={keyOf(camera)} key={keyOf(camera)}>
        {nameOf(camera.site, camera.id)}
      </option>
    ));
  return (
    <label>
      <span class="unseen">{w.camera}</span>
      <select value={filter.value.camera} onChange={(event) => choose({ camera: event.currentTarget.value })}>
        <option value="">{w.allCameras}</option>
        {list.length > 1
          ? list.map(([site, cameras]) => (
              <optgroup label={site} key={site}>
                <option value={`${site}/`}>{w.allOf(site)}</option>
                {options(cameras)}
              </optgroup>
            ))
          : options(list[0]?.[1] ?? [])}
      </select>
    </label>
  );
}

export function Filters() {
  const w = words.value;
  const { day, label } = filter.value;
  // A day that the address names is one to choose, also before it is known which days there are.
  const known = days.value.days;
  const all = day && !known.some((one) => one.day === day) ? [{ day, incidents: null }, ...known] : known;
  return (
    <div class="filters">
      <label>
        <span class="unseen">{w.day}</span>
        <select value={day} onChange={(event) => choose({ day: event.currentTarget.value })}>
          <option value="">{w.allDays}</option>
          {all.map(({ day, incidents }) => (
            <option value={day} key={day}>
              {incidents === null ? nameOfDay(day) : `${nameOfDay(day)} (${incidents})`}
            </option>
          ))}
        </select>
      </label>
      <Cameras />
      <label>
        <span class="unseen">{w.kind}</span>
        <select value={label} onChange={(event) => choose({ label: event.currentTarget.value })}>
          <option value="">{w.anything}</option>
          {LABELS.map((label) => (
            <option value={label} key={label}>
              {w[label]}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
