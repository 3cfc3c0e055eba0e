// Small pictures that say the same as the words beside them; screen readers skip them.
const CIRCLE = "M12 2.5a9.5 9.5 0 1 0 .01 0z";

const shapes = {
  // States: a tick, a head over shoulders, two bars, a triangle, a clock. They are told apart without colours.
  good: `${CIRCLE}M7.8 12.3l3 3 5.6-6.2`,
  attention: "M12 3.7a3.8 3.8 0 1 0 .01 0zM4.5 20.5c.6-4.3 3.6-6.5 7.5-6.5s6.9 2.2 7.5 6.5",
  paused: `${CIRCLE}M9.7 8.5v7M14.3 8.5v7`,
  problem: "M12 3.2 22 20.5H2zM12 10v4.8M12 17.6v.1",
  wait: `${CIRCLE}M12 6.5V12l3.5 2.2`,
  // What came.
  person: "M12 3.7a3.8 3.8 0 1 0 .01 0zM4.5 20.5c.6-4.3 3.6-6.5 7.5-6.5s6.9 2.2 7.5 6.5",
  bicycle: "M6 12.5a4 4 0 1 0 .01 0zM18 12.5a4 4 0 1 0 .01 0zM6 16.5l4-7h5l3 7M10 9.5l3.5 6M8.5 7h3",
  car: "M3.5 16.5v-4l2.5-5.5h12l2.5 5.5v4zM3.5 12.5h17M7 16.5v2M17 16.5v2",
  animal: "M12 12c-2.7 0-5 2.6-5 5 0 1.8 1.4 2.5 2.7 2.5.9 0 1.5-.4 2.3-.4s1.4.4 2.3.4c1.3 0 2.7-.7 2.7-2.5 0-2.4-2.3-5-5-5zM5.5 9v1.5M9.5 5.5V7M14.5 5.5V7M18.5 9v1.5",
  thing: `${CIRCLE}M9.6 9.5a2.5 2.5 0 1 1 3.3 2.4c-.6.2-.9.6-.9 1.3v.6M12 16.6v.1`,
  // Places and deeds.
  home: "M3.5 11.5 12 4l8.5 7.5M6 10v10h12V10M10 20v-5h4v5",
  record: "M5 4.5h14v15H5zM8.5 9h7M8.5 12.5h7M8.5 16h4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5a2 2 0 1 0 .01 0zM9 15a2 2 0 1 0 .01 0z",
  down: "M6 9.5l6 6 6-6",
  up: "M6 14.5l6-6 6 6",
  left: "M14.5 5.5l-6.5 6.5 6.5 6.5",
  right: "M9.5 5.5l6.5 6.5-6.5 6.5",
  close: "M6 6l12 12M18 6L6 18",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 0 .01 0z",
  shapes: "M4.5 8 12 4l7.5 4-2 10.5h-11z",
  play: "M7 4.5v15l12-7.5z",
  stop: "M8.5 5v14M15.5 5v14",
  back1: "M6 5.5v13M18 5.5 9.5 12l8.5 6.5z",
  on1: "M18 5.5v13M6 5.5l8.5 6.5L6 18.5z",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  keep: "M6.5 3.5h11V20.5L12 16.2 6.5 20.5z",
  no: `${CIRCLE}M5.6 18.4 18.4 5.6`,
  bin: "M4.5 6.5h15M9.5 6.5V4h5v2.5M6.5 6.5l.8 13.5h9.4l.8-13.5M10 10.5v6M14 10.5v6",
  line: "M3 19h18M5 15v-3M9 15V8M13 15v-5M17 15V5M20.5 15v-2",
  load: "M12 4v11M7 10.5l5 5 5-5M4.5 20h15",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name, solid = false }: { name: IconName; solid?: boolean }) {
  return (
    <svg class={solid ? "i solid" : "i"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={shapes[name]} />
    </svg>
  );
}

/** The picture of what came. */
export function kindIcon(label: string): IconName {
  if (label === "person" || label === "bicycle" || label === "car") return label;
  return label === "cat" || label === "dog" ? "animal" : "thing";
}

export function House() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M16 3 3 14h4v14h18V14h4z" />
      <circle cx="16" cy="18" r="5" />
      <circle cx="16" cy="18" r="2.2" class="pupil" />
    </svg>
  );
}
