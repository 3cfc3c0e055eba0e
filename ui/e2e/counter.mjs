// A video that says of itself which picture is shown, and how that is read: from a page's video element, or by a decoder beside it.

import { spawn } from "node:child_process";
import { existsSync, renameSync } from "node:fs";

/** Cells of the bar in a row; two rows make a number of 24 bits. */
const CELLS = 12;
const ROW = 24;

/** Makes the video `path`: still scene, grain of a sensor, a keyframe every two seconds, and a bar that counts. */
export async function makeCounter(path, { width, height, rate, kbits, seconds }) {
  if (existsSync(path)) return;
  const encoder = spawn(
    "gst-launch-1.0",
    ["-q", "fdsrc", "fd=0", `blocksize=${(width * height * 3) / 2}`, "!", "rawvideoparse", "format=i420", `width=${width}`, `height=${height}`,
      `framerate=${rate}/1`, "!", "x264enc", "tune=zerolatency", "speed-preset=ultrafast", `bitrate=${kbits}`, `key-int-max=${2 * rate}`,
      "option-string=scenecut=0", "!", "video/x-h264,profile=high", "!", "h264parse", "!", "mp4mux", "!", "filesink", `location=${path}.part`],
    { stdio: ["pipe", "ignore", "inherit"] },
  );
  const ended = new Promise((over) => encoder.on("exit", over));
  let seed = 1;
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
  const scene = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) scene[y * width + x] = 60 + ((x >> 4) * 7 + (y >> 4) * 13) % 120;
  const scenes = Array.from({ length: 8 }, () => {
    const grain = Int8Array.from({ length: 4096 + 31 }, () => Math.round((random() - 0.5) * 10));
    const frame = Buffer.alloc((width * height * 3) / 2, 128);
    for (let at = 0; at < width * height; at++) frame[at] = scene[at] + grain[at % grain.length];
    return frame;
  });
  for (let n = 0; n < seconds * rate; n++) {
    const frame = Buffer.from(scenes[n % scenes.length]);
    for (let cell = 0; cell < 2 * CELLS; cell++) {
      const [left, right] = [cell % CELLS, (cell % CELLS) + 1].map((column) => Math.round((column * width) / CELLS));
      const top = cell < CELLS ? 0 : ROW;
      const light = (n >> (2 * CELLS - 1 - cell)) & 1 ? 235 : 16;
      for (let y = top; y < top + ROW; y++) frame.fill(light, y * width + left, y * width + right);
    }
    if (!encoder.stdin.write(frame)) await new Promise((room) => encoder.stdin.once("drain", room));
  }
  encoder.stdin.end();
  if ((await ended) !== 0) throw new Error("the counter could not be made: is GStreamer's x264enc here?");
  renameSync(`${path}.part`, path);
}

/** Follows the camera at `url` beside everything else. `zero()`: when its picture 0 was sent, in milliseconds since 1970: the earliest that any fits. */
export function reference(url, { height, rate, seconds }) {
  const [columns, rows] = [4 * CELLS, height / 6];
  const decoder = spawn(
    "gst-launch-1.0",
    ["-q", "rtspsrc", `location=${url}`, "latency=0", "protocols=tcp", "!", "rtph264depay", "!", "h264parse", "!", "avdec_h264", "max-threads=1", "!",
      "videoscale", "method=nearest-neighbour", "!", "videoconvert", "!", `video/x-raw,format=GRAY8,width=${columns},height=${rows}`, "!", "fdsink", "fd=1", "sync=false"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  let [rest, zero, before] = [Buffer.alloc(0), Infinity, -1];
  let lap = 0;
  decoder.stdout.on("data", (piece) => {
    const now = Date.now();
    rest = Buffer.concat([rest, piece]);
    for (; rest.length >= columns * rows; rest = rest.subarray(columns * rows)) {
      let n = 0;
      for (let cell = 0; cell < 2 * CELLS; cell++) n = n * 2 + (rest[(cell < CELLS ? 2 : 6) * columns + (cell % CELLS) * 4 + 2] > 128 ? 1 : 0);
      if (n < before - 10) lap += 1;
      before = n;
      zero = Math.min(zero, now - ((lap * seconds * rate + n) * 1000) / rate);
    }
  });
  return { zero: () => zero, end: () => decoder.kill() };
}

/** How old a picture `n` was that was seen at `now`, in milliseconds, where picture 0 of some lap was sent at `zero`. */
export function age(n, now, zero, { rate, seconds }) {
  const lap = seconds * 1000;
  return (((now - zero - (n * 1000) / rate) % lap) + lap) % lap;
}

/** In the page: notes for each picture of the first video which one it is and when it was there, into `window.seen`. */
export function lookOn(height) {
  const cells = 12;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [4 * cells, 8];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  window.seen = [];
  let last = -1;
  const look = () => {
    const video = document.querySelector("[data-live=live] video");
    if (video?.videoWidth && video.readyState >= 2) {
      context.drawImage(video, 0, 0, video.videoWidth, (48 * video.videoHeight) / height, 0, 0, canvas.width, canvas.height);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let n = 0;
      for (let cell = 0; cell < 2 * cells; cell++) n = n * 2 + (data[((cell < cells ? 2 : 6) * canvas.width + (cell % cells) * 4 + 2) * 4] > 128 ? 1 : 0);
      if (n !== last) window.seen.push([n, Date.now()]);
      last = n;
    }
    requestAnimationFrame(look);
  };
  look();
}
