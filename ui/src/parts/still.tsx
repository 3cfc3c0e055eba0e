// What a camera sees now: a picture a second, while it can be seen.
import { useEffect, useRef, useState } from "preact/hooks";

const EVERY = 1000;
const AFTER_A_FAILURE = 5000;

/** `from`: where it is asked for; null where there is none to be had. */
export function Still({ from, alt, none }: { from: string | null; alt: string; none: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [picture, setPicture] = useState<string | null>(null);

  useEffect(() => {
    if (!from) return undefined;
    let seen = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let shown: string | null = null;
    let over = false;
    const again = (wait: number) => {
      clearTimeout(timer);
      if (!over && seen && !document.hidden) timer = setTimeout(load, wait);
    };
    const load = async () => {
      try {
        const answer = await fetch(from, { cache: "no-store", credentials: "same-origin" });
        if (!answer.ok) throw new Error();
        const next = URL.createObjectURL(await answer.blob());
        if (over) return URL.revokeObjectURL(next);
        if (shown) URL.revokeObjectURL(shown);
        shown = next;
        setPicture(next);
        again(EVERY);
      } catch {
        again(AFTER_A_FAILURE);
      }
    };
    const look = new IntersectionObserver(([entry]) => {
      seen = entry?.isIntersecting ?? false;
      again(0);
    });
    if (place.current) look.observe(place.current);
    const wake = () => again(0);
    document.addEventListener("visibilitychange", wake);
    return () => {
      over = true;
      clearTimeout(timer);
      look.disconnect();
      document.removeEventListener("visibilitychange", wake);
      if (shown) URL.revokeObjectURL(shown);
      setPicture(null);
    };
  }, [from]);

  return (
    <div class="still" ref={place}>
      {picture ? <img src={picture} alt={alt} /> : <span class="none">{none}</span>}
    </div>
  );
}
