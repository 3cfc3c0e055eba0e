// Why a camera or a box is not well, in the reader's language. The box says it in one English sentence for whoever maintains it; its kind
// is told by the words below, which a test looks for in the program's own sources. What is not known stays in English.
import type { Words } from "./words";

type Why = Extract<keyof Words, `why_${string}`>;

/** What the box says, and what that means. */
export const REASONS: readonly (readonly [said: string, why: Why])[] = [
  ["refused the user name or password", "why_login"],
  ["has no stream at", "why_address"],
  ["cannot be reached on port", "why_unreachable"],
  ["is not trusted", "why_certificate"],
  ["does not send its pictures by", "why_transport"],
  ["but sends no pictures", "why_silent"],
  ["has stopped sending pictures", "why_stalled"],
  ["has ended the stream", "why_closed"],
  ["sends no H.264 or H.265 video", "why_codec"],
  ["does not speak RTSP as expected", "why_protocol"],
  ["of 100 packets on the way", "why_losses"],
  ["are timed by their arrival", "why_clock"],
  ["but no keyframe yet", "why_keyframe"],
  ["that no picture can be made of", "why_data"],
  ["the data disk is nearly full", "why_disk"],
  ["the clock is not known to be right", "why_box_clock"],
  ["has not been heard of for too long", "why_thread"],
];

/** What the box said, in the reader's words; null where only the box's own are known. */
export function reasonOf(said: string | null, words: Words): string | null {
  const known = said && REASONS.find(([part]) => said.includes(part));
  return known ? words[known[1]] : null;
}
