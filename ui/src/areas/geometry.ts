// Corners and polygons, in shares of the picture's width and height. Pure.
import type { Areas, Point, Zone } from "../api";

export type Kind = "zone" | "motion" | "privacy";

export const FEWEST = 3;

const within = (share: number) => Math.min(1, Math.max(0, share));

/** The point, inside the picture. */
export function clamp([x, y]: Point): Point {
  return [within(x), within(y)];
}

/** Where a click at `x`, `y` pixels lies in a picture of `width` by `height` pixels. */
export function shareOf(x: number, y: number, width: number, height: number): Point {
  return clamp([x / Math.max(1, width), y / Math.max(1, height)]);
}

/** `point` moved by shares, inside the picture. */
export function moved(point: Point, dx: number, dy: number): Point {
  return clamp([point[0] + dx, point[1] + dy]);
}

/** Whether two corners are as good as one. */
export function isSame(a: Point, b: Point): boolean {
  return Math.hypot(a[0] - b[0], a[1] - b[1]) < 0.01;
}

/** `corners` with one more; one where the last one is already adds nothing. */
export function withCorner(corners: readonly Point[], corner: Point): Point[] {
  const last = corners[corners.length - 1];
  return last && isSame(last, corner) ? [...corners] : [...corners, clamp(corner)];
}

/** Whether a point lies in a polygon (even-odd rule). */
export function contains(polygon: readonly Point[], [x, y]: Point): boolean {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i]!;
    const [xj, yj] = polygon[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** `points` of an SVG polygon on a picture of 1000 by 1000. */
export function svgPoints(polygon: readonly Point[]): string {
  return polygon.map(([x, y]) => `${Math.round(x * 1000)},${Math.round(y * 1000)}`).join(" ");
}

/** `areas` with a finished polygon; none with fewer than three corners. */
export function withArea(areas: Areas, kind: Kind, polygon: Point[], name: string): Areas {
  if (polygon.length < FEWEST) return areas;
  if (kind === "motion") return { ...areas, motion_mask: [...areas.motion_mask, polygon] };
  if (kind === "privacy") return { ...areas, privacy_mask: [...areas.privacy_mask, polygon] };
  const names = new Set(areas.zones.map((zone) => zone.name));
  let free = name;
  for (let n = 2; names.has(free); n++) free = `${name} ${n}`;
  const zone: Zone = { name: free, area: polygon, required: false, loiter: null };
  return { ...areas, zones: [...areas.zones, zone] };
}

/** `areas` without the polygon at `index` of `kind`. */
export function withoutArea(areas: Areas, kind: Kind, index: number): Areas {
  const rest = <T>(list: T[]) => list.filter((_, at) => at !== index);
  if (kind === "motion") return { ...areas, motion_mask: rest(areas.motion_mask) };
  if (kind === "privacy") return { ...areas, privacy_mask: rest(areas.privacy_mask) };
  return { ...areas, zones: rest(areas.zones) };
}

/** `areas` with a zone changed. */
export function withZone(areas: Areas, index: number, change: Partial<Zone>): Areas {
  return { ...areas, zones: areas.zones.map((zone, at) => (at === index ? { ...zone, ...change } : zone)) };
}
