// What happened: a card for each incident, and one of them open.
import { useEffect, useState } from "preact/hooks";

import type { House, Incident } from "../api";
import { addressOf, filter, open } from "../route";
import { incidentDetails, incidentTitle } from "../sentences";
import { choose, days, incidents, keyOf, loaded, more, nameOf, next, placeOf, zone } from "../state";
import { clockTime, dayBefore, dayInWords, dayOf } from "../time";
import { language, words } from "../words";
import { lazy } from "./lazy";
import { Picture } from "./picture";

const Opened = lazy(() => import("./opened").then((part) => part.Opened));
/** Cards that are drawn at once, which fill a screen; the others follow when these are seen. */
const FIRST_CARDS = 12;

function Card({ incident }: { incident: Incident }) {
  const w = words.value;
  const title = incidentTitle(incident, placeOf(incident), w);
  const time = clockTime(incident.start, zone.value, language.value);
  return (
    <li class={incident.state === "ended" ? "card" : "card now"} data-incident={incident.id}>
      <a href={addressOf(`incident/${incident.id}`)} aria-label={w.openIncident(title, time)}>
        <Picture crop={incident.crop} small={incident.small} whole={incident.picture} none={w.noPicture} />
        <span class="facts">
          <span class="time">{time}</span>
          <strong>{title}</strong>
          {incidentDetails(incident, w).map((detail) => (
            <span key={detail}>{detail}</span>
          ))}
          {incident.test && <span>{w.test}</span>}
        </span>
      </a>
    </li>
  );
}

/** Cameras to choose from: those that there are, and those that incidents still name; by home. */
function choices(house: House): [site: string, cameras: { site: string; id: string }[]][] {
  const homes = new Map<string, { site: string; id: string }[]>();
  const named = new Set<string>();
  for (const { site, id } of [...house.cameras, ...days.value.cameras]) {
    const key = keyOf({ site, id });
    if (named.has(key)) continue;
    named.add(key);
    homes.set(site, [...(homes.get(site) ?? []), { site, id }]);
  }
  return [...homes].sort(([a], [b]) => (a < b ? -1 : 1));
}

function Filters({ house }: { house: House }) {
  const w = words.value;
  const homes = choices(house);
  const options = (cameras: { site: string; id: string }[]) =>
    cameras.map((camera) => (
      <option value={keyOf(camera)} key={keyOf(camera)}>
        {nameOf(camera.site, camera.id)}
      </option>
    ));
  return (
    <div class="filters">
      <label>
        {w.camera}
        <select value={filter.value.camera} onChange={(event) => choose({ camera: event.currentTarget.value })}>
          <option value="">{w.allCameras}</option>
          {homes.length > 1
            ? homes.map(([site, cameras]) => (
                <optgroup label={site} key={site}>
                  <option value={`${site}/`}>{w.allOf(site)}</option>
                  {options(cameras)}
                </optgroup>
              ))
            : options(homes[0]?.[1] ?? [])}
        </select>
      </label>
      <label>
        {w.day}
        <select value={filter.value.day} onChange={(event) => choose({ day: event.currentTarget.value })}>
          <option value="">{w.allDays}</option>
          {days.value.days.map(({ day, incidents }) => (
            <option value={day} key={day}>
              {`${nameOfDay(day)} (${incidents})`}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function nameOfDay(day: string): string {
  if (!day) return words.value.dayUnknown;
  const today = dayOf(Date.now(), zone.value);
  if (day === today) return words.value.today;
  return day === dayBefore(today) ? words.value.yesterday : dayInWords(day, language.value);
}

function byDay(list: readonly Incident[]): [string, Incident[]][] {
  const groups = new Map<string, Incident[]>();
  for (const incident of list) {
    const day = dayOf(incident.start, zone.value);
    const group = groups.get(day);
    if (group) group.push(incident);
    else groups.set(day, [incident]);
  }
  return [...groups];
}

export function Incidents({ house }: { house: House }) {
  const w = words.value;
  const filtered = filter.value.camera !== "" || filter.value.day !== "";
  const [all, showAll] = useState(false);
  useEffect(() => {
    if (!loaded.value || all) return undefined;
    // After the browser has painted what there is.
    const frame = requestAnimationFrame(() => setTimeout(() => showAll(true)));
    return () => cancelAnimationFrame(frame);
  }, [loaded.value]);
  const list = all ? incidents.value : incidents.value.slice(0, FIRST_CARDS);
  return (
    <section aria-labelledby="incidents">
      <div class="row">
        <h2 id="incidents">{w.incidents}</h2>
        <Filters house={house} />
      </div>
      {loaded.value && incidents.value.length === 0 && <p class="quiet">{filtered ? w.nothing : w.nothingYet}</p>}
      {byDay(list).map(([day, list]) => (
        <div key={day}>
          <h3 class="day">{nameOfDay(day)}</h3>
          <ul class="cards">
            {list.map((incident) => (
              <Card incident={incident} key={incident.id} />
            ))}
          </ul>
        </div>
      ))}
      {next.value && (
        <button type="button" class="more" onClick={() => void more()}>
          {w.more}
        </button>
      )}
      {open.value && <Opened />}
    </section>
  );
}
