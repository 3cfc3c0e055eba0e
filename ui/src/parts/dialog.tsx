// A dialog: the browser's own, which keeps the focus in it and closes at Escape.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { words } from "../words";

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose}>
      <div class="row">
        <h2>{title}</h2>
        <button type="button" onClick={onClose}>
          {words.value.close}
        </button>
      </div>
      {children}
    </dialog>
  );
}
