// A page whose program is fetched when it is opened: what the first view needs stays small.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { everyWord, words } from "../words";

/** The styles of everything but the first view, once. Without them a page is plain, and works. */
let styles: Promise<void> | null = null;
const moreStyles = () =>
  (styles ??= new Promise((done) => {
    const named = document.querySelector<HTMLMetaElement>("meta[name=more-styles]");
    if (!named) return done();
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = named.content;
    link.onload = link.onerror = () => done();
    document.head.append(link);
  }));

/** `load`ed once, and shown with its properties. */
export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let known: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const w = words.value;
    const [turn, setTurn] = useState(0);
    const [failed, setFailed] = useState(false);
    const [, setLoaded] = useState(known !== null);
    useEffect(() => {
      if (known) return;
      setFailed(false);
      Promise.all([load(), everyWord(), moreStyles()]).then(
        ([page]) => {
          known = page;
          setLoaded(true);
        },
        () => setFailed(true),
      );
    }, [turn]);
    const Page = known;
    if (Page) return <Page {...props} />;
    if (!failed) return <p class="wait">{w.loading}</p>;
    return (
      <p class="actions" role="alert">
        <span class="trouble">{w.error_offline}</span>
        <button type="button" onClick={() => setTurn(turn + 1)}>
          {w.tryAgain}
        </button>
      </p>
    );
  };
}
