// The incident that is open, with its clip. Its program is fetched when the first one is opened.
import { close } from "../route";
import { incidentDetails, incidentTitle } from "../sentences";
import { fetched, opened, placeOf, zone } from "../state";
import { fullTime } from "../time";
import { language, words } from "../words";
import { Dialog } from "./dialog";
import { Player } from "./player";

export function Opened() {
  const w = words.value;
  const incident = opened.value;
  if (!incident) {
    if (fetched.value !== false) return null;
    return (
      <Dialog title={w.incidents} onClose={close} key="gone">
        <p>{w.incidentGone}</p>
      </Dialog>
    );
  }
  const title = incidentTitle(incident, placeOf(incident), w);
  const time = fullTime(incident.start, zone.value, language.value);
  return (
    <Dialog title={title} onClose={close} key={incident.id}>
      <p>{[time, ...incidentDetails(incident, w)].join(" · ")}</p>
      <Player incident={incident} label={w.clipOf(title, time)} />
    </Dialog>
  );
}
