// The picture to draw on: with the mouse, a finger or the keyboard.
import { useLayoutEffect, useRef, useState } from "preact/hooks";

import type { Areas, Point } from "../api";
import { words } from "../words";
import { clamp, moved, shareOf, svgPoints, withCorner, type Kind } from "./geometry";

interface Props {
  picture: string;
  areas: Areas;
  /** What is being drawn, and its corners so far; none: nothing. */
  drawing: { kind: Kind; corners: Point[] } | null;
  onCorners: (corners: Point[]) => void;
  onDone: () => void;
  onGiveUp: () => void;
}

const STEP = 0.02;
const STEPS: Record<string, [number, number]> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

export function Canvas({ picture, areas, drawing, onCorners, onDone, onGiveUp }: Props) {
  const w = words.value;
  const place = useRef<HTMLDivElement>(null);
  const [cross, setCross] = useState<Point>([0.5, 0.5]);
  const [shown, setShown] = useState(false);

  // Before the next key: one that comes before the focus is lost.
  useLayoutEffect(() => {
    if (drawing) place.current?.focus();
  }, [drawing !== null]);

  const add = (corner: Point) => drawing && onCorners(withCorner(drawing.corners, corner));
  const keys = (event: KeyboardEvent) => {
    if (!drawing) return;
    const step = STEPS[event.key];
    if (step) {
      setShown(true);
      setCross(moved(cross, ...step));
    } else if (event.key === "Enter" || event.key === " ") add(cross);
    else if (event.key === "Escape") onGiveUp();
    else if (event.key === "Backspace" || event.key === "Delete") onCorners(drawing.corners.slice(0, -1));
    else return;
    event.preventDefault();
  };
  const click = (event: MouseEvent) => {
    if (!drawing) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const corner = shareOf(event.clientX - box.left, event.clientY - box.top, box.width, box.height);
    setShown(false);
    setCross(clamp(corner));
    const first = drawing.corners[0];
    // Back at the first corner: that closes it.
    const nearFirst = first && Math.hypot((first[0] - corner[0]) * box.width, (first[1] - corner[1]) * box.height) < 12;
    if (nearFirst && drawing.corners.length >= 3) onDone();
    else add(corner);
  };
  const polygons: [Kind, Point[][]][] = [
    ["zone", areas.zones.map((zone) => zone.area)],
    ["motion", areas.motion_mask],
    ["privacy", areas.privacy_mask],
  ];
  const percent = (share: number) => Math.round(share * 100);
  return (
    <>
      <div
        ref={place}
        class={drawing ? "canvas drawing" : "canvas"}
        role="application"
        aria-label={w.canvas}
        tabIndex={0}
        onKeyDown={keys}
        onClick={click}
        data-testid="canvas"
      >
        <img src={picture} alt="" draggable={false} />
        <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true" focusable="false">
          {polygons.map(([kind, list]) =>
            list.map((polygon, index) => <polygon class={kind} points={svgPoints(polygon)} key={`${kind}${index}`} />),
          )}
          {drawing && drawing.corners.length > 1 && <polygon class={`${drawing.kind} open`} points={svgPoints(drawing.corners)} />}
          {drawing?.corners.map(([x, y], index) => (
            <ellipse class="corner" cx={x * 1000} cy={y * 1000} rx="9" ry="14" key={index} />
          ))}
          {drawing && shown && (
            <path class="cross" d={`M${cross[0] * 1000 - 30} ${cross[1] * 1000}h60M${cross[0] * 1000} ${cross[1] * 1000 - 40}v80`} />
          )}
        </svg>
      </div>
      <p class="unseen" aria-live="polite">
        {drawing && shown ? w.cornerAt(percent(cross[0]), percent(cross[1])) : ""}
      </p>
    </>
  );
}
