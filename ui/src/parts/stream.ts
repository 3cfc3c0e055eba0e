// Plays the playlist of a clip, from its first segment on, while it grows, and after.

const HEVC = 'video/mp4; codecs="hvc1.1.6.L93.B0"';
/** Whether this browser can play such pictures. */
export function plays(codec: string | null): boolean {
  if (codec !== "h265") return true;
  return (
    (typeof MediaSource !== "undefined" && MediaSource.isTypeSupported(HEVC)) ||
    document.createElement("video").canPlayType(HEVC) !== ""
  );
}

/** Plays `playlist` in `element` from `from` seconds on; `lost` is called once when it cannot go on. Ends with the function returned. */
export function play(element: HTMLVideoElement, playlist: string, from: number, lost: () => void): () => void {
  let stop = () => {};
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    stop();
    lost();
  };
  import("hls.js/light").then(({ default: Hls }) => {
    if (over) return;
    if (!Hls.isSupported()) {
      // Browsers that play such playlists by themselves.
      element.addEventListener("error", end);
      element.src = playlist;
      element.currentTime = from;
      stop = () => element.removeEventListener("error", end);
      return;
    }
    // From the beginning, also of a clip that still grows.
    const hls = new Hls({ startPosition: from, enableWorker: false, liveDurationInfinity: false, backBufferLength: Infinity });
    let recovered = false;
    hls.on(Hls.Events.ERROR, (_event, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !recovered) {
        recovered = true;
        hls.recoverMediaError();
      } else end();
    });
    hls.loadSource(playlist);
    hls.attachMedia(element);
    stop = () => hls.destroy();
  }, end);
  return () => {
    over = true;
    stop();
  };
}
