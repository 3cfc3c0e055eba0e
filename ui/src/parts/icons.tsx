// Small pictures that say the same as the words beside them; screen readers skip them.
import type { Tone } from "../sentences";

const shapes: Record<Tone, string> = {
  // A tick, a head over shoulders, two bars, an exclamation mark: told apart without colours.
  good: "M6 12.5l4 4 8-9",
  attention: "M12 5.6a2.9 2.9 0 1 0 .01 0M6.6 18.4c.4-3.4 2.6-5 5.4-5s5 1.6 5.4 5",
  paused: "M9 6v12M15 6v12",
  problem: "M12 5v9M12 18.2v.3",
};

export function ToneIcon({ tone }: { tone: Tone }) {
  return (
    <svg class={`icon ${tone}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <circle cx="12" cy="12" r="11" />
      <path d={shapes[tone]} />
    </svg>
  );
}

export function House() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M16 3 3 14h4v14h18V14h4z" />
      <circle cx="16" cy="18" r="5" />
      <circle cx="16" cy="18" r="2.2" class="pupil" />
    </svg>
  );
}
