// What a clip is played with: position, play, one picture back and on, speed, the whole screen.
import { useEffect, useState } from "preact/hooks";

import { duration } from "../time";
import { words } from "../words";
import { Icon, type IconName } from "./icons";

const SPEEDS = [0.5, 1, 2, 4];
/** How long one picture lasts, in seconds, until the clip has told. */
const ONE_PICTURE = 1 / 15;

/** Plays, or stops; from the beginning where it has come to its end. */
export function toggle(video: HTMLVideoElement): void {
  if (video.paused) void video.play().catch(() => undefined);
  else video.pause();
}

/** The shortest time between two pictures that were shown so far, in seconds, for each video. */
const lasts = new WeakMap<HTMLVideoElement, number>();

function watchPictures(video: HTMLVideoElement): () => void {
  if (!("requestVideoFrameCallback" in video)) return () => {};
  let last: number | null = null;
  let id = 0;
  const shown: VideoFrameRequestCallback = (_now, { mediaTime }) => {
    const step = last === null ? 0 : mediaTime - last;
    last = mediaTime;
    if (step > 0.005 && step < 1) lasts.set(video, Math.min(step, lasts.get(video) ?? 1));
    id = video.requestVideoFrameCallback(shown);
  };
  id = video.requestVideoFrameCallback(shown);
  return () => video.cancelVideoFrameCallback(id);
}

/** One picture on, or back with -1. */
export function step(video: HTMLVideoElement, pictures: number): void {
  video.pause();
  const one = lasts.get(video) ?? ONE_PICTURE;
  const end = Number.isFinite(video.duration) ? video.duration : Infinity;
  video.currentTime = Math.min(Math.max(0, video.currentTime + pictures * one), end);
}

/** What a video tells of itself, as often as it does. */
function useVideo(video: HTMLVideoElement) {
  const read = () => ({ at: video.currentTime, length: Number.isFinite(video.duration) ? video.duration : 0, paused: video.paused });
  const [now, setNow] = useState(read);
  useEffect(() => {
    const events = ["timeupdate", "durationchange", "play", "pause", "seeking", "seeked"];
    const tell = () => setNow(read());
    for (const event of events) video.addEventListener(event, tell);
    const stop = watchPictures(video);
    return () => {
      for (const event of events) video.removeEventListener(event, tell);
      stop();
    };
  }, [video]);
  return now;
}

function Tool({ icon, label, solid = false, onClick }: { icon: IconName; label: string; solid?: boolean; onClick: () => void }) {
  return (
    <button type="button" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} solid={solid} />
    </button>
  );
}

export function Controls({ video }: { video: HTMLVideoElement }) {
  const w = words.value;
  const { at, length, paused } = useVideo(video);
  const [speed, setSpeed] = useState(1);
  const said = w.positionIs(duration(at), duration(length));
  const atSpeed = (wanted: number) => {
    setSpeed(wanted);
    // What is loaded again keeps it too.
    video.defaultPlaybackRate = wanted;
    video.playbackRate = wanted;
  };
  return (
    <div class="beside">
      <div class="seek num">
        <span>{clock(at)}</span>
        <span class="track">
          <span class="base">
            <i style={{ left: 0, width: length > 0 ? `${(at / length) * 100}%` : 0 }} />
          </span>
          <input
            type="range"
            min={0}
            max={length}
            step={0.1}
            value={at}
            aria-label={w.position}
            aria-valuetext={said}
            onInput={(event) => (video.currentTime = Number(event.currentTarget.value))}
          />
        </span>
        <span class="soft">{clock(length)}</span>
      </div>
      <div class="tools">
        <Tool icon={paused ? "play" : "stop"} solid={paused} label={paused ? w.play : w.pausePlay} onClick={() => toggle(video)} />
        <Tool icon="back1" label={w.stepBack} onClick={() => step(video, -1)} />
        <Tool icon="on1" label={w.stepOn} onClick={() => step(video, 1)} />
        <select aria-label={w.speed} value={speed} onChange={(event) => atSpeed(Number(event.currentTarget.value))}>
          {SPEEDS.map((one) => (
            <option value={one} key={one}>
              {one === 0.5 ? "½×" : `${one}×`}
            </option>
          ))}
        </select>
        {document.fullscreenEnabled && (
          <Tool icon="full" label={w.wholeScreen} onClick={() => void video.parentElement?.requestFullscreen().catch(() => undefined)} />
        )}
      </div>
    </div>
  );
}

/** Minutes and seconds: 0:09. */
function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
