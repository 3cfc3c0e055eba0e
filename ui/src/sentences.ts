// What the page says of the house, its cameras and incidents. Pure.
import type { Camera, House, Incident, Site } from "./api";
import { reasonOf } from "./reasons";
import type { Words } from "./words";

/** Green: all is well and nobody is there. Amber: somebody is. Slate: paused on purpose. Red: something does not work. */
export type Tone = "good" | "attention" | "paused" | "problem";

/** Whether a camera watches, sees somebody, is paused, or needs somebody to look after it. */
export function toneOf(camera: Camera): Tone {
  if (camera.state === "suspended" || (camera.mode === "disarmed" && camera.state !== "unknown")) return "paused";
  if (camera.state !== "online" || camera.problem) return "problem";
  return camera.person ? "attention" : "good";
}

/** What a camera's tile shows: its picture, or in place of it why there is none. */
export type Tile = "picture" | "somebody" | "fault" | "paused" | "away";

/** `connected`: whether the page hears from the hub. Without it no picture is of now. */
export function tileOf(camera: Camera, connected: boolean): Tile {
  if (!connected || camera.state === "unknown") return "away";
  const tone = toneOf(camera);
  if (tone === "paused") return "paused";
  if (camera.state === "offline") return "fault";
  return camera.person ? "somebody" : "picture";
}

/** One thing that is wrong: what it is about, why, and the camera to look at. */
export interface Fault {
  /** What it is about, where the headline does not say so. */
  about: string | null;
  why: string | null;
  /** What the box says itself, where that cannot be put into the reader's words. */
  said: string | null;
  camera: Camera | null;
}

function boxFaults(site: Site, words: Words): Fault[] {
  const plain = (about: string): Fault[] => [{ about, why: null, said: null, camera: null }];
  if (site.silent) return plain(words.boxSilent(site.id));
  if (!site.online) return plain(words.boxOffline(site.id));
  return site.problems.map((said) => {
    const why = reasonOf(said, words);
    return { about: words.boxSays(site.id), why, said: why ? null : said, camera: null };
  });
}

/** Everything that is wrong: boxes first, then the cameras of boxes that can be heard. */
export function faultsOf(house: House, words: Words): Fault[] {
  const heard = (camera: Camera) => camera.state !== "unknown";
  const cameras = house.cameras
    .filter((camera) => heard(camera) && toneOf(camera) === "problem")
    .map((camera) => {
      const why = reasonOf(camera.problem, words);
      return { about: camera.name, why, said: why ? null : camera.problem, camera };
    });
  return [...house.sites.flatMap((site) => boxFaults(site, words)), ...cameras];
}

function faultHeadline(house: House, words: Words): string {
  const broken = house.cameras.filter((camera) => camera.state !== "unknown" && toneOf(camera) === "problem");
  const dark = broken.filter((camera) => camera.state === "offline");
  const names = (cameras: Camera[]) => cameras.map((camera) => camera.name).join(", ");
  const down = house.sites.find((site) => site.silent || !site.online);
  if (down && dark.length === 0) return down.silent ? words.boxSilent(down.id) : words.boxOffline(down.id);
  if (dark.length > 0) return dark.length === 1 ? words.noPictureOf(names(dark)) : words.noPicturesOf(names(dark));
  return broken.length > 0 ? words.faultOf(names(broken)) : words.boxFault;
}

/** Who or what is there now, and where: persons first. `current`: incidents that have not ended. */
function presence(house: House, current: readonly Incident[], words: Words): string[] {
  const there = house.cameras.filter((camera) => camera.person).map((camera) => camera.name);
  const others = new Map<string, string[]>();
  for (const incident of current) {
    const camera = house.cameras.find((camera) => camera.site === incident.site && camera.id === incident.camera);
    // The camera itself says whether a person is there, and one that is cut off says nothing of now.
    if (!camera || incident.label === "person" || camera.person || camera.state !== "online") continue;
    const what = labelOf(incident, words);
    others.set(what, [...(others.get(what) ?? []).filter((name) => name !== camera.name), camera.name]);
  }
  const things = [...others].map(([what, places]) => words.thingAt(what, places.join(", ")));
  return there.length > 0 ? [words.somebodyAt(there.join(", ")), ...things] : things;
}

/** The house: one sentence, what there is to add, and what is wrong. */
export interface State {
  tone: Tone;
  text: string;
  detail: string;
  faults: Fault[];
}

export function houseSentence(house: House, current: readonly Incident[], words: Words): State {
  const { cameras } = house;
  const faults = faultsOf(house, words);
  const paused = cameras.filter((camera) => toneOf(camera) === "paused");
  const watching = cameras.length - paused.length;
  const on = paused.length > 0 ? words.somePaused(watching, cameras.length) : words.camerasOn(cameras.length);
  const there = presence(house, current, words);
  if (there.length > 0) return { tone: "attention", text: there.join(" · "), detail: faults.length > 0 ? "" : on, faults };
  if (faults.length > 0) {
    const text = faultHeadline(house, words);
    // What the headline says already is not said again.
    return { tone: "problem", text, detail: "", faults: faults.filter((fault) => fault.about !== text) };
  }
  if (cameras.length === 0) return { tone: "paused", text: words.noCameras, detail: words.noCamerasYet, faults };
  if (watching === 0) return { tone: "paused", text: words.allPaused(cameras.length), detail: words.nothingFilmed, faults };
  return { tone: "good", text: words.allQuiet, detail: on, faults };
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

/** Who came where, such as "Person, Front door". */
export function incidentTitle(incident: Incident, place: string, words: Words): string {
  return words.at(labelOf(incident, words), place);
}

/** The same within a sentence. */
function someOf(incident: Incident, words: Words): string {
  switch (incident.label) {
    case "person":
    case "bicycle":
    case "car":
    case "cat":
    case "dog":
      return words[`a_${incident.label}`];
    default:
      return words.a_thing;
  }
}

/** Why it was reported, in one sentence: what it did, or at least where it was. */
export function becauseOf(incident: Incident, camera: string, words: Words): string {
  const what = someOf(incident, words);
  const stayed = incident.rules.find(({ rule }) => rule === "loitered");
  const crossed = incident.rules.find(({ rule }) => rule !== "loitered");
  if (stayed) return words.becauseStayed(what, stayed.name);
  if (crossed) return words.becauseCrossed(what, crossed.name);
  if (incident.zones.length > 0) return words.becauseIn(what, incident.zones.join(", "));
  return words.becauseSeen(what, camera);
}

/** Where it was: the camera, and the zones if there are any. */
export function whereOf(zones: readonly string[], place: string): string {
  return [place, ...new Set(zones)].join(", ");
}

/** What an entry of the record says that somebody did; `detail` stays where its form is not known. */
export function deedOf(what: string, detail: string, nameOf: (site: string, id: string) => string, words: Words): { text: string; incident: string | null; detail: string } {
  const mode = /^([a-z0-9-]+)\/([a-z0-9-]+) (armed|disarmed)$/.exec(detail);
  if (what === "mode" && mode) {
    const name = nameOf(mode[1]!, mode[2]!);
    return { text: mode[3] === "armed" ? words.turnedOn(name) : words.turnedOff(name), incident: null, detail: "" };
  }
  const plain = (text: string) => ({ text, incident: null, detail: "" });
  const refused = /^(\d+) from (\d+)$/.exec(detail);
  if (what === "login-failed" && refused) return plain(words.did_refused(Number(refused[1]), Number(refused[2])));
  const account = /^(\S+) (added|removed)$/.exec(detail);
  if (what === "account" && account) return plain(account[2] === "added" ? words.did_added(account[1]!) : words.did_removed(account[1]!));
  if (what === "second") return plain(detail === "off" ? words.did_secondOff : words.did_secondOn);
  const key = `did_${what}` as keyof Words;
  const known = words[key];
  const text = typeof known === "string" ? known : what;
  const clip = /^([a-z0-9-]+)\/([a-z0-9-]+) ([0-9a-f-]{36})$/.exec(detail);
  // What was deleted leads nowhere.
  if (clip) return { text, incident: what === "delete" ? null : clip[3]!, detail: nameOf(clip[1]!, clip[2]!) };
  const camera = /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(detail);
  return { text, incident: null, detail: camera ? nameOf(camera[1]!, camera[2]!) : detail };
}
