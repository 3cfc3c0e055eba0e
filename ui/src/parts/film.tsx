// The picture of a recording: the film from where it was begun, or why there is none.
import { useEffect, useRef, useState } from "preact/hooks";

import type { Timeline } from "../api";
import { address, isRecorded, timeIn } from "../recordings";
import { connected, zone } from "../state";
import { clockTime } from "../time";
import { language, words } from "../words";
import { Icon, type IconName } from "./icons";
import { play } from "./stream";

/** What is to be said of `t`: a gap with its cause, or that there is nothing; empty where there is a recording. */
export function why(timeline: Timeline, t: number): string {
  const w = words.value;
  if (t > Date.now()) return w.notYet;
  const gap = timeline.gaps.find(({ from, to }) => t >= from && t < to);
  const time = (ms: number) => clockTime(ms, zone.value, language.value);
  if (gap) return w[`gap_${gap.why}`](time(gap.from), time(gap.to));
  return isRecorded(timeline, t) ? "" : w.nothingRecorded;
}

/** Icon and colour of why there is nothing. */
function look(timeline: Timeline, t: number): [IconName, string] {
  const gap = timeline.gaps.find(({ from, to }) => t >= from && t < to);
  if (!gap) return ["wait", "none"];
  return gap.why === "paused" ? ["paused", "rest"] : ["problem", "fault"];
}

interface Props {
  camera: string;
  name: string;
  timeline: Timeline;
  known: boolean;
  at: number;
  /** Where the film begins; null: none plays. */
  from: number | null;
  /** It plays by itself; else its first picture is shown. */
  auto: boolean;
  to: number;
  onTime: (t: number) => void;
  /** The film is over, at this time. */
  onEnd: (t: number) => void;
}

export function Film({ camera, name, timeline, known, at, from, auto, to, onTime, onEnd }: Props) {
  const w = words.value;
  const video = useRef<HTMLVideoElement>(null);
  const [failed, setFailed] = useState(false);
  /** Counts what begins it again. */
  const [turn, setTurn] = useState(0);
  const spans = useRef(timeline);
  spans.current = timeline;
  const begins = from !== null && isRecorded(timeline, from) ? from : null;
  useEffect(() => {
    const element = video.current;
    setFailed(false);
    if (!element || begins === null) return undefined;
    const stop = play(element, address(camera, "play.m3u8", begins, to), 0, () => setFailed(true));
    const tell = () => !element.seeking && element.currentTime > 0 && onTime(Math.min(timeIn(spans.current, begins, element.currentTime), to));
    const end = () => onEnd(to);
    element.addEventListener("timeupdate", tell);
    element.addEventListener("ended", end);
    return () => {
      element.removeEventListener("timeupdate", tell);
      element.removeEventListener("ended", end);
      stop();
      element.removeAttribute("src");
      element.load();
    };
    // `to` follows from where it begins.
  }, [camera, begins, auto, turn]);

  const missing = known && begins === null ? why(timeline, at) : "";
  const [icon, mean] = look(timeline, at);
  return (
    <div class="player film">
      <video ref={video} playsInline muted autoPlay={auto} controls={begins !== null && !failed} aria-label={w.recordedDay(name)} />
      {missing && (
        <div class={`why-not ${mean}`}>
          <Icon name={icon} />
          <p>{missing}</p>
        </div>
      )}
      {failed && (
        <div class="msg" role="alert">
          <p>{connected.value ? w.recordingFailed : w.clipCut}</p>
          <button type="button" onClick={() => setTurn((turn) => turn + 1)}>
            {w.tryAgain}
          </button>
        </div>
      )}
    </div>
  );
}
