// A dialog: the browser's own, which keeps the focus in it and closes at Escape.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { words } from "../words";

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // What is taken away is closed by that, and not once more by its reader.
  const over = useRef(false);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      over.current = true;
      element?.close();
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog ref={dialog} class="sheet stack" aria-label={title} onClose={() => over.current || onClose()}>
      <div class="heading">
        <h2>{title}</h2>
        <button type="button" class="bare" onClick={() => dialog.current?.close()}>
          {words.value.close}
        </button>
      </div>
      {children}
    </dialog>
  );
}
