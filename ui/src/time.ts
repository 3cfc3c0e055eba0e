// Days and times in the zone of the house, whatever the zone of the browser.

export type Language = "en" | "fr";

const locale = (language: Language) => (language === "fr" ? "fr-FR" : "en-GB");

/** The day of an instant, as YYYY-MM-DD. */
export function dayOf(ms: number, zone: string): string {
  // By parts: no locale writes a whole date like this in every browser.
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
  const parts = Object.fromEntries(format.formatToParts(new Date(ms)).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

/** Hours and minutes. */
export function clockTime(ms: number, zone: string, language: Language): string {
  return new Intl.DateTimeFormat(locale(language), { timeZone: zone, hour: "2-digit", minute: "2-digit" }).format(new Date(ms));
}

/** Day and time. */
export function fullTime(ms: number, zone: string, language: Language): string {
  return new Intl.DateTimeFormat(locale(language), {
    timeZone: zone,
    day: "numeric",
    month: "long",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(ms));
}

/** A day in words, such as "Monday 2 February". */
export function dayInWords(day: string, language: Language): string {
  // Noon in universal time is the same day wherever it is named in universal time.
  return new Intl.DateTimeFormat(locale(language), { timeZone: "UTC", weekday: "long", day: "numeric", month: "long" }).format(
    new Date(`${day}T12:00:00Z`),
  );
}

/** The day before, as YYYY-MM-DD. */
export function dayBefore(day: string): string {
  const noon = new Date(`${day}T12:00:00Z`);
  noon.setUTCDate(noon.getUTCDate() - 1);
  return noon.toISOString().slice(0, 10);
}
