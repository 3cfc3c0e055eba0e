// The order of the cameras: as this browser's reader has put them; new ones come last, as the hub names them.
import { signal } from "@preact/signals";

import type { Camera } from "./api";
import { keep, kept } from "./kept";

const keyOf = (camera: { site: string; id: string }) => `${camera.site}/${camera.id}`;

/** `cameras` in the order of `keys`; those that it does not name come after. */
export function inOrder<C extends { site: string; id: string }>(cameras: readonly C[], keys: readonly string[]): C[] {
  const place = (camera: C) => {
    const at = keys.indexOf(keyOf(camera));
    return at < 0 ? keys.length : at;
  };
  return [...cameras].sort((a, b) => place(a) - place(b));
}

/** The order once the camera `key` has been moved by `steps`, later ones up. */
export function moved(cameras: readonly { site: string; id: string }[], key: string, steps: number): string[] {
  const keys = cameras.map(keyOf);
  const from = keys.indexOf(key);
  if (from < 0) return keys;
  keys.splice(from, 1);
  keys.splice(Math.min(Math.max(from + steps, 0), keys.length), 0, key);
  return keys;
}

/** Those with somebody or a fault come first, where not all can be shown. */
export function urgentFirst(cameras: readonly Camera[], isUrgent: (camera: Camera) => boolean): Camera[] {
  return [...cameras.filter(isUrgent), ...cameras.filter((camera) => !isUrgent(camera))];
}

function read(text: string | null): string[] {
  try {
    const keys: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(keys) ? keys.filter((key): key is string => typeof key === "string") : [];
  } catch {
    return [];
  }
}

export const order = signal<string[]>(read(kept("order")));

/** Moves a camera, among `cameras` as they are shown. */
export function move(cameras: readonly { site: string; id: string }[], key: string, steps: number): void {
  order.value = moved(cameras, key, steps);
  keep("order", JSON.stringify(order.value));
}
