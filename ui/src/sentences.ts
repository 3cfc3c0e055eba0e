// What the page says of the house, its cameras and incidents. Pure.
import type { Camera, House, Incident } from "./api";
import type { Words } from "./words";

export type Tone = "good" | "paused" | "problem";

/** Whether a camera watches, is paused, or needs somebody to look after it. */
export function toneOf(camera: Camera): Tone {
  if (camera.state === "suspended" || (camera.mode === "disarmed" && camera.state !== "unknown")) return "paused";
  return camera.state === "online" && !camera.problem ? "good" : "problem";
}

/** A camera in one plain sentence. */
export function cameraSentence(camera: Camera, words: Words): string {
  const { name } = camera;
  if (camera.state === "unknown") return words.cameraUnknown(name);
  if (toneOf(camera) === "paused") return words.cameraPaused(name);
  if (camera.state === "offline") return words.cameraOffline(name);
  if (camera.person) return words.cameraPerson(name);
  return camera.motion ? words.cameraMotion(name) : words.cameraWatching(name);
}

/** What boxes have to say beside their cameras. */
export function boxProblems(house: House, words: Words): string[] {
  return house.sites.flatMap((site) => {
    if (site.silent) return [words.boxSilent(site.id)];
    if (!site.online) return [words.boxOffline(site.id)];
    return site.problems;
  });
}

/** The house in one sentence. */
export function houseSentence(house: House, words: Words): { tone: Tone; text: string } {
  const { cameras } = house;
  const there = cameras.filter((camera) => camera.person).map((camera) => camera.name);
  const problem = cameras.some((camera) => toneOf(camera) === "problem") || boxProblems(house, words).length > 0;
  const watching = cameras.filter((camera) => toneOf(camera) === "good").length;
  const tone: Tone = problem ? "problem" : watching === 0 && cameras.length > 0 ? "paused" : "good";
  if (there.length > 0) return { tone, text: words.personNow(there.join(", ")) };
  if (problem) return { tone, text: words.houseProblem };
  if (cameras.length === 0) return { tone: "paused", text: words.noCameras };
  if (watching === 0) return { tone, text: words.allPaused };
  if (watching < cameras.length) return { tone, text: words.somePaused(watching, cameras.length) };
  return { tone, text: words.allWatching };
}

/** What came. */
export function labelOf(incident: Incident, words: Words): string {
  switch (incident.label) {
    case "person":
    case "bicycle":
    case "car":
    case "cat":
    case "dog":
      return words[incident.label];
    default:
      return words.thing;
  }
}

/** Who came where. */
export function incidentTitle(incident: Incident, cameraName: string, words: Words): string {
  return words.at(labelOf(incident, words), cameraName);
}

/** How long, in words. */
export function durationOf(seconds: number, words: Words): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 90 ? words.seconds(whole) : words.minutes(Math.round(whole / 60));
}

/** What else there is to say: how long, where, which rules. */
export function incidentDetails(incident: Incident, words: Words): string[] {
  const details = [incident.seconds === null ? words.goingOn : words.lasted(durationOf(incident.seconds, words))];
  if (incident.zones.length > 0) details.push(words.inZones(incident.zones.join(", ")));
  for (const { rule, name } of incident.rules) {
    details.push(rule === "loitered" ? words.loitered(name) : words.crossed(name));
  }
  if (incident.clock === "unsure") details.push(words.clockUnsure);
  return details;
}
