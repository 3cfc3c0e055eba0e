// Days and times in the zone of the house, whatever the zone of the browser. A time or a zone that a browser does not know is shown as
// unknown: one odd incident must not take the others from the page.

export type Language = "en" | "fr";

/** What stands between a number and its unit. */
const NBSP = "\u00a0";
/** Furthest instant that there is a date for, in milliseconds. */
const LAST = 8.64e15;
/** A time that nobody can tell. */
const UNKNOWN = "–";

const locale = (language: Language) => (language === "fr" ? "fr-FR" : "en-GB");

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a format takes longer than using it a hundred times. */
function format(language: Language, zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${zone} ${JSON.stringify(options)}`;
  let known = formats.get(key);
  if (!known) {
    try {
      known = new Intl.DateTimeFormat(locale(language), { timeZone: zone, ...options });
    } catch {
      // A zone that this browser has not heard of.
      known = new Intl.DateTimeFormat(locale(language), { timeZone: "UTC", ...options });
    }
    formats.set(key, known);
  }
  return known;
}

function parts(ms: number, zone: string, language: Language, options: Intl.DateTimeFormatOptions): Record<string, string> | null {
  if (!Number.isFinite(ms) || Math.abs(ms) > LAST) return null;
  return Object.fromEntries(format(language, zone, options).formatToParts(new Date(ms)).map(({ type, value }) => [type, value]));
}

/** The day of an instant, as YYYY-MM-DD; empty where there is none. */
export function dayOf(ms: number, zone: string): string {
  // By parts: no locale writes a whole date like this in every browser.
  const day = parts(ms, zone, "en", { year: "numeric", month: "2-digit", day: "2-digit" });
  return day ? `${day.year}-${day.month}-${day.day}` : "";
}

/** Hours and minutes: 14:52, in French 14 h 52. */
export function clockTime(ms: number, zone: string, language: Language): string {
  const time = parts(ms, zone, "en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (!time) return UNKNOWN;
  return language === "fr" ? `${Number(time.hour)}${NBSP}h${NBSP}${time.minute}` : `${time.hour}:${time.minute}`;
}

/** Hours, minutes and seconds: 14:52:05, in French 14 h 52 min 05 s. */
export function clockSeconds(ms: number, zone: string, language: Language): string {
  const seconds = parts(ms, zone, "en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" })?.second;
  if (!seconds) return UNKNOWN;
  const time = clockTime(ms, zone, language);
  return language === "fr" ? `${time}${NBSP}min${NBSP}${seconds}${NBSP}s` : `${time}:${seconds}`;
}

/** A day of the year, such as 28 February 2027. */
export function fullDay(ms: number, zone: string, language: Language): string {
  const day = parts(ms, zone, language, { day: "numeric", month: "long", year: "numeric" });
  return day ? [day.day, day.month, day.year].join(NBSP) : UNKNOWN;
}

/** Day and time to the second. */
export function fullTime(ms: number, zone: string, language: Language): string {
  const day = parts(ms, zone, language, { day: "numeric", month: "long" });
  return day ? `${day.day}${NBSP}${day.month}, ${clockSeconds(ms, zone, language)}` : UNKNOWN;
}

/** A day in words, such as "Monday 2 February". */
export function dayInWords(day: string, language: Language): string {
  // Noon in universal time is the same day wherever it is named in universal time.
  const noon = new Date(`${day}T12:00:00Z`);
  if (Number.isNaN(noon.getTime())) return day || UNKNOWN;
  return format(language, "UTC", { weekday: "long", day: "numeric", month: "long" }).format(noon);
}

/** The day before, as YYYY-MM-DD. */
export function dayBefore(day: string): string {
  const noon = new Date(`${day}T12:00:00Z`);
  if (Number.isNaN(noon.getTime())) return "";
  noon.setUTCDate(noon.getUTCDate() - 1);
  return noon.toISOString().slice(0, 10);
}

/** How long, the same in both languages: 21 s, 1 min 35 s, 12 min, 2 h 5 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  const unit = (n: number, name: string) => `${n}${NBSP}${name}`;
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return unit(whole, "s");
  if (whole < 600) return whole % 60 === 0 ? unit(whole / 60, "min") : `${unit(Math.floor(whole / 60), "min")}${NBSP}${unit(whole % 60, "s")}`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return unit(minutes, "min");
  return minutes % 60 === 0 ? unit(minutes / 60, "h") : `${unit(Math.floor(minutes / 60), "h")}${NBSP}${unit(minutes % 60, "min")}`;
}
