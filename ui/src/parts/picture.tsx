// The picture of a card. Over a slow link first whoever came, which weighs next to nothing, then the whole picture small; over a wide one
// the whole picture as it is.
import { useEffect, useRef, useState } from "preact/hooks";

import { at } from "../api";
import { pictures } from "./queue";

/** Pictures a little below what is seen are loaded too. */
const AHEAD = "300px";
/** What is a better picture of something comes after the first one of everything. */
const LATER = 1e6;

/** Loads `address` into the browser's memory. */
function load(address: string): Promise<void> {
  return new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done();
    image.onerror = () => fail(new Error(address));
    image.src = address;
  });
}

interface Props {
  /** Whoever came, cut out. */
  crop: string | null;
  small: string | null;
  whole: string | null;
  /** What is said where there is none of these. */
  none: string;
}

export function Picture({ crop, small, whole, none }: Props) {
  const place = useRef<HTMLSpanElement>(null);
  const [shown, setShown] = useState<{ address: string; cut: boolean } | null>(null);

  useEffect(() => {
    const element = place.current;
    if (!element || !(crop ?? small ?? whole)) return undefined;
    let over = false;
    let leave = () => {};
    const top = () => element.getBoundingClientRect().top;
    const show = async (address: string, cut: boolean) => {
      await load(at(address));
      if (!over) setShown({ address: at(address), cut });
    };
    const best = () => (pictures.wide ? (whole ?? small) : (small ?? whole));
    /** The picture, and once more as it is where the link turns out to be wide. */
    const picture = async () => {
      const address = best();
      if (!address) return;
      await show(address, false);
      // What this load told of the link is known once it is over.
      if (whole && address !== whole) setTimeout(() => sharper(whole));
    };
    const sharper = (address: string) => {
      if (!over && pictures.wide) leave = pictures.add(() => 2 * LATER + top(), () => show(address, false), true);
    };
    const look = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        look.disconnect();
        if (crop && !pictures.wide) {
          const cut = () =>
            show(crop, true).finally(() => {
              if (!over) leave = pictures.add(() => LATER + top(), picture, true);
            });
          leave = pictures.add(top, cut);
        } else leave = pictures.add(top, picture, true);
      },
      { rootMargin: AHEAD },
    );
    look.observe(element);
    return () => {
      over = true;
      look.disconnect();
      leave();
    };
  }, [crop, small, whole]);

  return (
    <span class="frame" ref={place}>
      {shown ? (
        <img src={shown.address} alt="" class={shown.cut ? "cut" : undefined} />
      ) : (
        <span class="none">{crop || small || whole ? "" : none}</span>
      )}
    </span>
  );
}
