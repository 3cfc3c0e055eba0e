// What the rest of the page knows of live pictures.

/** A camera: which box, and which of its cameras. A `Camera` of `/api/house` is one. */
export interface LiveCamera {
  site: string;
  id: string;
}

/**
 * - `connecting`: nothing is shown yet, or it is being built again after an error.
 * - `live`: the picture is of now.
 * - `stills`: there is no live view, for the reason in `message`; a picture a second takes its place.
 * - `paused`: the camera is switched off: there is no picture at all.
 * - `offline`: the box gets no pictures from the camera, or the page does not reach the box.
 */
export type LiveState = "connecting" | "live" | "stills" | "paused" | "offline";

/** `sub` for tiles, `main` where one camera is looked at. A camera of one stream has that for both. */
export type Quality = "sub" | "main";

export interface LiveStatus {
  state: LiveState;
  /** Why, in one English sentence of the box; null where there is nothing to say. */
  message: string | null;
}

export interface LiveOptions {
  /** `sub` unless it says otherwise. */
  quality?: Quality;
  /** Hears each change of the status, and the status at the beginning. */
  onStatus?: (status: LiveStatus) => void;
}

/** A video element that shows a camera. */
export interface Attached {
  /** Lets go of the element; it keeps its last picture. */
  stop(): void;
  /** Switches to the other stream; the picture of before stays until the first one of it is there. */
  setQuality(quality: Quality): void;
  readonly status: LiveStatus;
}
