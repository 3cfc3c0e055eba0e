// Live pictures of cameras. One socket serves all that is shown at once; it is opened by the first and closed after the last.
//
//   <Live camera={camera} alt={w.pictureOf(camera.name)} still={camera.still} loading={w.loading} none={w.noPicture} />
//
// or, with a video element of one's own:
//
//   const shown = attach(video, camera, { quality: "main", onStatus: ({ state }) => ... });
//   shown.stop();
//
// Both stop what they get while the tab is hidden
// or the element is off screen, and go on by themselves. The audit has one entry for each visit of the page, whatever number of
// cameras it shows.
export { attach } from "./attach";
export { Live, type LiveProps } from "./live";
export type { Attached, LiveCamera, LiveOptions, LiveState, LiveStatus, Quality } from "./types";
