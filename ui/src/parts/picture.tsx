// The picture of a card: small first, and as large as it is shown where the link is quick.
import { useEffect, useRef, useState } from "preact/hooks";

import { at } from "../api";
import { QUICK, pictures } from "./queue";

/** Pictures a little below what is seen are loaded too. */
const AHEAD = "300px";
/** What the small one is good for, in pixels of the screen. */
const SMALL_WIDTH = 420;

/** Loads `address` into the browser's memory. */
function load(address: string): Promise<void> {
  return new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done();
    image.onerror = () => fail(new Error(address));
    image.src = address;
  });
}

export function Picture({ small, whole, none }: { small: string | null; whole: string | null; none: string }) {
  const place = useRef<HTMLSpanElement>(null);
  const [shown, setShown] = useState<string | null>(null);

  useEffect(() => {
    const first = small ?? whole;
    const element = place.current;
    if (!first || !element) return undefined;
    let over = false;
    let leave = () => {};
    const top = () => element.getBoundingClientRect().top;
    const show = async (address: string) => {
      await load(address);
      if (!over) setShown(address);
    };
    const begin = async () => {
      const began = performance.now();
      await show(at(first));
      const sharp = element.clientWidth * devicePixelRatio > SMALL_WIDTH;
      if (over || !whole || first === whole || !sharp || performance.now() - began > QUICK) return;
      // After the small ones of all the others.
      leave = pictures.add(() => 1e6 + top(), () => show(at(whole)).catch(() => undefined));
    };
    const look = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        look.disconnect();
        leave = pictures.add(top, () => begin().catch(() => undefined));
      },
      { rootMargin: AHEAD },
    );
    look.observe(element);
    return () => {
      over = true;
      look.disconnect();
      leave();
    };
  }, [small, whole]);

  return (
    <span class="frame" ref={place}>
      {shown ? <img src={shown} alt="" /> : <span class="none">{small || whole ? "" : none}</span>}
    </span>
  );
}
