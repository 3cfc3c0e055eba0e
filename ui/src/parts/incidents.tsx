// What happened: a card for each incident, and one of them open.
import type { House, Incident } from "../api";
import { incidentDetails, incidentTitle } from "../sentences";
import { choose, days, filter, incidents, keyOf, loaded, more, nameOf, next, open, zone } from "../state";
import { clockTime, dayBefore, dayInWords, dayOf, fullTime } from "../time";
import { language, words } from "../words";
import { Dialog } from "./dialog";
import { Player } from "./player";

function Card({ incident }: { incident: Incident }) {
  const w = words.value;
  const title = incidentTitle(incident, nameOf(incident), w);
  const time = clockTime(incident.start, zone.value, language.value);
  const picture = incident.picture ?? incident.crop;
  return (
    <li class={incident.state === "ended" ? "card" : "card now"} data-incident={incident.id}>
      <button type="button" aria-label={w.openIncident(title, time)} onClick={() => (open.value = incident.id)}>
        <span class="frame">{picture ? <img src={picture} alt="" loading="lazy" /> : <span class="none">{w.noPicture}</span>}</span>
        <span class="facts">
          <span class="time">{time}</span>
          <strong>{title}</strong>
          {incidentDetails(incident, w).map((detail) => (
            <span key={detail}>{detail}</span>
          ))}
          {incident.test && <span>{w.test}</span>}
        </span>
      </button>
    </li>
  );
}

function Filters({ house }: { house: House }) {
  const w = words.value;
  return (
    <div class="filters">
      <label>
        {w.camera}
        <select value={filter.value.camera} onChange={(event) => void choose({ camera: event.currentTarget.value })}>
          <option value="">{w.allCameras}</option>
          {house.cameras.map((camera) => (
            <option value={keyOf(camera)} key={keyOf(camera)}>
              {camera.name}
            </option>
          ))}
        </select>
      </label>
      <label>
        {w.day}
        <select value={filter.value.day} onChange={(event) => void choose({ day: event.currentTarget.value })}>
          <option value="">{w.allDays}</option>
          {days.value.map(({ day, incidents }) => (
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
  const today = dayOf(Date.now(), zone.value);
  if (day === today) return words.value.today;
  return day === dayBefore(today) ? words.value.yesterday : dayInWords(day, language.value);
}

function byDay(list: readonly Incident[]): [string, Incident[]][] {
  const groups = new Map<string, Incident[]>();
  for (const incident of list) {
    const day = dayOf(incident.start, zone.value);
    groups.set(day, [...(groups.get(day) ?? []), incident]);
  }
  return [...groups];
}

function Open() {
  const w = words.value;
  const incident = incidents.value.find((incident) => incident.id === open.value);
  if (!incident) return null;
  const title = incidentTitle(incident, nameOf(incident), w);
  const time = fullTime(incident.start, zone.value, language.value);
  return (
    <Dialog title={title} onClose={() => (open.value = null)} key={incident.id}>
      <p>{[time, ...incidentDetails(incident, w)].join(" · ")}</p>
      <Player incident={incident} label={w.clipOf(title, time)} />
    </Dialog>
  );
}

export function Incidents({ house }: { house: House }) {
  const w = words.value;
  const filtered = filter.value.camera !== "" || filter.value.day !== "";
  return (
    <section aria-labelledby="incidents">
      <div class="row">
        <h2 id="incidents">{w.incidents}</h2>
        <Filters house={house} />
      </div>
      {loaded.value && incidents.value.length === 0 && <p class="quiet">{filtered ? w.nothing : w.nothingYet}</p>}
      {byDay(incidents.value).map(([day, list]) => (
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
      {open.value && <Open />}
    </section>
  );
}
