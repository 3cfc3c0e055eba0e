// Dark or light: as the system has it, or as this browser's reader chose.
import { effect, signal } from "@preact/signals";

import { keep, kept } from "./kept";

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const known = (text: string | null): Theme => THEMES.find((theme) => theme === text) ?? "auto";

export const theme = signal<Theme>(known(kept("theme")));

export function chooseTheme(wanted: Theme): void {
  theme.value = wanted;
  keep("theme", wanted === "auto" ? null : wanted);
}

/** Tells the style sheet, now and at each choice. */
export function followTheme(): void {
  effect(() => {
    if (theme.value === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme.value;
  });
}
