// What a camera sees now: a picture a second, while it can be seen.
import { useEffect, useRef, useState } from "preact/hooks";

import { at } from "../api";
import { stills } from "./queue";

const EVERY = 1000;
const AFTER_A_FAILURE = 3000;

/** `from`: where it is asked for; null where there is none to be had. `none`: what is said instead. */
export function Still({ from, alt, none, loading }: { from: string | null; alt: string; none: string; loading: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [picture, setPicture] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    if (!from) return undefined;
    let seen = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let shown: string | null = null;
    let over = false;
    let leave = () => {};
    const again = (wait: number) => {
      clearTimeout(timer);
      leave();
      if (over || !seen || document.hidden) return;
      const top = () => place.current?.getBoundingClientRect().top ?? 0;
      timer = setTimeout(() => (leave = stills.add(top, load)), wait);
    };
    const load = async () => {
      const began = performance.now();
      try {
        const answer = await fetch(at(from), { cache: "no-store", credentials: "same-origin" });
        if (!answer.ok) throw new Error();
        const next = URL.createObjectURL(await answer.blob());
        if (over) return URL.revokeObjectURL(next);
        if (shown) URL.revokeObjectURL(shown);
        shown = next;
        setPicture(next);
        setFailed(false);
        // A slow link is not filled with them.
        again(Math.max(EVERY, 2 * (performance.now() - began)));
      } catch {
        if (over) return;
        setFailed(true);
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
      leave();
      look.disconnect();
      document.removeEventListener("visibilitychange", wake);
      if (shown) URL.revokeObjectURL(shown);
      setPicture(null);
      setFailed(false);
    };
  }, [from]);

  return (
    <div class="still" ref={place}>
      {picture ? <img src={picture} alt={alt} /> : <span class="none">{from && !failed ? loading : none}</span>}
    </div>
  );
}
