// Days of the house as stretches of time, whatever its zone does to them.
import { dayOf } from "./time";

const HOUR = 3_600_000;

/** The day after, as YYYY-MM-DD; empty where there is none. */
export function dayAfter(day: string): string {
  const noon = new Date(`${day}T12:00:00Z`);
  if (Number.isNaN(noon.getTime())) return "";
  noon.setUTCDate(noon.getUTCDate() + 1);
  return noon.toISOString().slice(0, 10);
}

/** The first instant of `day` in `zone`, in milliseconds. */
function beginning(day: string, zone: string): number {
  const middle = Date.parse(`${day}T00:00:00Z`);
  let [before, after] = [middle - 15 * HOUR, middle + 15 * HOUR];
  while (after - before > 1) {
    const half = Math.floor((before + after) / 2);
    if (dayOf(half, zone) < day) before = half;
    else after = half;
  }
  return after;
}

/** When `day` begins and ends in `zone`: 23, 24 or 25 hours. */
export function bounds(day: string, zone: string): [number, number] {
  return [beginning(day, zone), beginning(dayAfter(day), zone)];
}

/** Seconds since midnight as a clock in `zone` shows them. */
function secondsOf(ms: number, zone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).formatToParts(ms);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value ?? 0);
  return part("hour") * 3600 + part("minute") * 60 + part("second");
}

/** The time of the day as a form has it: 14:31:48. */
export function fieldTime(ms: number, zone: string): string {
  const seconds = secondsOf(ms, zone);
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** The instant at which a clock of `zone` shows `time` on `day`; none where `time` is none. */
export function instant(day: string, time: string, zone: string): number | null {
  const found = /^(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(time);
  if (!found) return null;
  const wanted = Number(found[1]) * 3600 + Number(found[2]) * 60 + Number(found[3] ?? 0);
  const guess = beginning(day, zone) + wanted * 1000;
  // On the two days a year on which a clock is set.
  return guess + (wanted - secondsOf(guess, zone)) * 1000;
}
