// What a camera sees now: a picture a second, while it can be seen.
import { useEffect, useRef, useState } from "preact/hooks";

import { at } from "../api";
import { words } from "../words";
import { Icon } from "./icons";
import { stills } from "./queue";

const EVERY = 1000;
const AFTER_A_FAILURE = 3000;
/** A picture that could not be renewed so often in a row is taken away: it would look like now. */
const FAILURES = 2;

/** `from`: where it is asked for; null where there is none to be had. */
export function Still({ from, alt }: { from: string | null; alt: string }) {
  const w = words.value;
  const place = useRef<HTMLSpanElement>(null);
  const [picture, setPicture] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    if (!from) return undefined;
    let seen = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let shown: string | null = null;
    let over = false;
    let failures = 0;
    let leave = () => {};
    const again = (wait: number) => {
      clearTimeout(timer);
      leave();
      if (over || !seen || document.hidden) return;
      const top = () => place.current?.parentElement?.getBoundingClientRect().top ?? 0;
      timer = setTimeout(() => (leave = stills.add(top, load)), wait);
    };
    const show = (next: string | null) => {
      if (shown) URL.revokeObjectURL(shown);
      shown = next;
      setPicture(next);
    };
    const load = async () => {
      const began = performance.now();
      try {
        const answer = await fetch(at(from), { cache: "no-store", credentials: "same-origin" });
        if (!answer.ok) throw new Error();
        const next = URL.createObjectURL(await answer.blob());
        if (over) return URL.revokeObjectURL(next);
        failures = 0;
        show(next);
        setFailed(false);
        // A slow link is not filled with them.
        again(Math.max(EVERY, 2 * (performance.now() - began)));
      } catch {
        if (over) return;
        failures += 1;
        setFailed(true);
        if (failures >= FAILURES) show(null);
        again(AFTER_A_FAILURE);
      }
    };
    const look = new IntersectionObserver(([entry]) => {
      seen = entry?.isIntersecting ?? false;
      again(0);
    });
    const tile = place.current?.parentElement;
    if (tile) look.observe(tile);
    const wake = () => again(0);
    document.addEventListener("visibilitychange", wake);
    return () => {
      over = true;
      clearTimeout(timer);
      leave();
      look.disconnect();
      document.removeEventListener("visibilitychange", wake);
      show(null);
      setFailed(false);
    };
  }, [from]);

  if (picture) return <img src={picture} alt={alt} />;
  const none = !from || failed;
  return (
    <span class="off-text" ref={place}>
      <Icon name={none ? "problem" : "wait"} />
      <span class={none ? undefined : "unseen"}>{none ? w.noPicture : w.loading}</span>
    </span>
  );
}
