// A button that opens a small sheet beside it. Escape and a tap elsewhere close it, and the button has the focus again.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { Icon } from "./icons";

interface Props {
  label: string;
  isOpen: boolean;
  onOpen: (open: boolean) => void;
  children: ComponentChildren;
}

export function Menu({ label, isOpen, onOpen, children }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const elsewhere = (event: Event) => {
      if (event.target instanceof Node && !place.current?.contains(event.target)) onOpen(false);
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      onOpen(false);
      place.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    document.addEventListener("keydown", escape);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
      document.removeEventListener("keydown", escape);
    };
  }, [isOpen]);
  return (
    <div class="menu" ref={place}>
      <button type="button" aria-expanded={isOpen} onClick={() => onOpen(!isOpen)}>
        {label}
        <Icon name="down" />
      </button>
      {isOpen && <div class="sheet stack">{children}</div>}
    </div>
  );
}
