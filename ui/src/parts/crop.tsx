// A small picture of who came, in a square that is there before the picture is. The upper ones are loaded first.
import { useEffect, useRef, useState } from "preact/hooks";

import { at, type Incident } from "../api";
import { Icon, kindIcon } from "./icons";
import { pictures } from "./queue";

/** Pictures a little below what is seen are loaded too. */
const AHEAD = "400px";

/** Loads `address` into the browser's memory. */
function load(address: string): Promise<void> {
  return new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done();
    image.onerror = () => fail(new Error(address));
    image.src = address;
  });
}

export function Crop({ incident }: { incident: Incident }) {
  const place = useRef<HTMLSpanElement>(null);
  const address = incident.crop ?? incident.small;
  const [shown, setShown] = useState<string | null>(null);

  useEffect(() => {
    const element = place.current;
    if (!element || !address) return undefined;
    let over = false;
    let leave = () => {};
    const look = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        look.disconnect();
        const show = () => load(at(address)).then(() => void (over || setShown(at(address))));
        leave = pictures.add(() => element.getBoundingClientRect().top, show);
      },
      { rootMargin: AHEAD },
    );
    look.observe(element);
    return () => {
      over = true;
      look.disconnect();
      leave();
    };
  }, [address]);

  return (
    <span class="crop" ref={place}>
      {shown ? <img src={shown} alt="" /> : <Icon name={kindIcon(incident.label)} />}
    </span>
  );
}
