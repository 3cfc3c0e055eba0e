// A part of a long list, which is taken off the page while it is far from what is seen. Its height stays, so nothing moves.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** How far from the window a part is still kept. */
const NEAR = "1600px";

export function Chunk({ children }: { children: () => ComponentChildren }) {
  const place = useRef<HTMLDivElement>(null);
  const [near, setNear] = useState(true);
  const [height, setHeight] = useState<number | null>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const look = new IntersectionObserver(
      ([entry]) => {
        // A list that is not shown at all says nothing.
        if (!entry || entry.boundingClientRect.width === 0) return;
        if (!entry.isIntersecting && !element.contains(document.activeElement)) setHeight(entry.boundingClientRect.height);
        setNear(entry.isIntersecting || element.contains(document.activeElement));
      },
      { rootMargin: `${NEAR} 0px` },
    );
    look.observe(element);
    return () => look.disconnect();
  }, []);
  return (
    <div ref={place} style={near || height === null ? undefined : { height: `${height}px` }}>
      {near || height === null ? children() : null}
    </div>
  );
}

/** Calls `onNear` each time the end of the list comes near. */
export function End({ onNear, turn }: { onNear: () => void; turn: unknown }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!place.current) return undefined;
    const look = new IntersectionObserver(([entry]) => entry?.isIntersecting && onNear(), { rootMargin: "600px 0px" });
    look.observe(place.current);
    return () => look.disconnect();
    // What was near before and still is, after more has come, counts again.
  }, [turn]);
  return <div ref={place} />;
}
