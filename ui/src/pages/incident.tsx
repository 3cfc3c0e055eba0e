// One incident, at its own address: its clip at once, what is known of it, and what can be done with it.
import { useEffect, useRef } from "preact/hooks";

import { at, type Incident } from "../api";
import { step, toggle } from "../parts/controls";
import { Crop } from "../parts/crop";
import { Deeds } from "../parts/deeds";
import { Facts } from "../parts/facts";
import { Icon } from "../parts/icons";
import { Player } from "../parts/player";
import { addressOf, close, open, replace } from "../route";
import { becauseOf, incidentTitle } from "../sentences";
import { fetched, incidents, more, nameOf, opened, openedVisit, placeOf, zone } from "../state";
import { nameOfDay } from "../parts/filters";
import { clockTime, dayOf, fullTime } from "../time";
import { neighbours } from "../visits";
import { language, words } from "../words";

/** A link to an incident in place of this one: Back leads to the list. */
function Step({ to, side }: { to: Incident | null; side: "earlier" | "later" }) {
  const w = words.value;
  const icon = side === "earlier" ? "left" : "right";
  const name = side === "earlier" ? w.earlier : w.later;
  const word = <span class="word">{name}</span>;
  if (!to) {
    return (
      <button type="button" class="bare" disabled aria-label={name}>
        {side === "later" && word}
        <Icon name={icon} />
        {side === "earlier" && word}
      </button>
    );
  }
  const says = side === "earlier" ? w.earlierIs : w.laterIs;
  const go = (event: Event) => {
    event.preventDefault();
    replace(addressOf(`incident/${to.id}`));
  };
  return (
    <a
      class="button bare"
      href={addressOf(`incident/${to.id}`)}
      onClick={go}
      aria-label={says(incidentTitle(to, placeOf(to), w), clockTime(to.start, zone.value, language.value))}
    >
      {side === "later" && word}
      <Icon name={icon} />
      {side === "earlier" && word}
    </a>
  );
}

function Bar({ incident, title }: { incident: Incident; title: string }) {
  const w = words.value;
  const heading = useRef<HTMLHeadingElement>(null);
  const near = neighbours(incidents.value, incident);
  // A reader by keys or by ear is led to what has been opened.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [incident.id]);
  useEffect(() => {
    if (!near.earlier) void more();
  }, [near.earlier === null]);
  const day = nameOfDay(dayOf(incident.start, zone.value));
  return (
    <div class="bar">
      <a
        class="button bare"
        href={addressOf("")}
        aria-label={w.closeIncident}
        onClick={(event) => {
          event.preventDefault();
          close();
        }}
      >
        <Icon name="close" />
      </a>
      <div>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <small class="num">{`${day}, ${clockTime(incident.start, zone.value, language.value)}`}</small>
      </div>
      <Step to={near.earlier} side="earlier" />
      <Step to={near.later} side="later" />
    </div>
  );
}

/** The others of the same visit. */
function Visit({ incident }: { incident: Incident }) {
  const w = words.value;
  const visit = openedVisit.value;
  if (!visit || visit.incidents.length < 2) return null;
  return (
    <section class="stack" aria-labelledby="visit">
      <h2 id="visit">{w.sameVisit}</h2>
      <div class="near num">
        {visit.incidents.map((one) => {
          const time = clockTime(one.start, zone.value, language.value);
          return (
            <a
              key={one.id}
              data-incident={one.id}
              href={addressOf(`incident/${one.id}`)}
              aria-current={one.id === incident.id ? "true" : undefined}
              onClick={(event) => {
                event.preventDefault();
                replace(addressOf(`incident/${one.id}`));
              }}
            >
              <Crop incident={one} />
              <time>{time}</time>
            </a>
          );
        })}
      </div>
    </section>
  );
}

function Pictures({ incident }: { incident: Incident }) {
  const w = words.value;
  if (!incident.picture) return null;
  return (
    <section class="stack" aria-labelledby="pictures">
      <h2 id="pictures">{w.pictures}</h2>
      <div class="shots">
        {incident.crop && (
          <a href={at(incident.crop)} target="_blank" rel="noopener">
            <span class="crop">
              <img src={at(incident.crop)} alt="" />
            </span>
            {w.cutOut}
          </a>
        )}
        <a href={at(incident.picture)} target="_blank" rel="noopener">
          <span class="pic">
            <img src={at(incident.picture)} alt="" />
          </span>
          {w.wholePicture}
        </a>
      </div>
    </section>
  );
}

/** Space plays and stops, "," and "." go by one picture, the arrows to the earlier and the later one, Escape closes. */
function useKeys(incident: Incident | null): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const { target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (target instanceof HTMLElement && target.matches("input:not([type=range]), select, textarea")) return;
      const onControl = target instanceof HTMLElement && target.matches("button, a, input");
      const video = document.querySelector<HTMLVideoElement>(".incident video");
      const go = (to: Incident | null) => to && replace(addressOf(`incident/${to.id}`));
      const near = incident && neighbours(incidents.peek(), incident);
      if (event.key === "Escape" && !document.fullscreenElement) close();
      else if (event.key === " " && video && !onControl) toggle(video);
      else if (event.key === "," && video) step(video, -1);
      else if (event.key === "." && video) step(video, 1);
      else if (event.key === "ArrowLeft" && near && !(target instanceof HTMLInputElement)) go(near.earlier);
      else if (event.key === "ArrowRight" && near && !(target instanceof HTMLInputElement)) go(near.later);
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [incident?.id]);
}

export function IncidentPage() {
  const w = words.value;
  const incident = opened.value;
  useKeys(incident);
  if (!incident) {
    if (fetched.value !== false) return <p class="wait">{w.loading}</p>;
    return (
      <div class="incident blank">
        <h1>{w.incidentGone}</h1>
        <a class="button" href={addressOf("")}>
          {w.back}
        </a>
      </div>
    );
  }
  const title = incidentTitle(incident, placeOf(incident), w);
  return (
    <article class="incident" key={open.value}>
      <Bar incident={incident} title={title} />
      <div class="view">
        <div class="clip">
          <Player incident={incident} label={w.clipOf(title, fullTime(incident.start, zone.value, language.value))} />
          <div class="beside">
            <p class="why">{becauseOf(incident, nameOf(incident.site, incident.camera), w)}</p>
          </div>
        </div>
        <div class="stack">
          <Facts incident={incident} />
          <Deeds incident={incident} />
          <Pictures incident={incident} />
          <Visit incident={incident} />
        </div>
      </div>
    </article>
  );
}
