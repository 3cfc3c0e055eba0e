// The words of the chosen language.
import { computed, signal } from "@preact/signals";

import type { Language } from "../time";
import { en, type Words } from "./en";
import { fr } from "./fr";

export type { Words };
export const catalogues: Record<Language, Words> = { en, fr };

const KEPT = "lares-language";

function first(): Language {
  try {
    const kept = localStorage.getItem(KEPT);
    if (kept === "en" || kept === "fr") return kept;
  } catch {
    // A browser that keeps nothing.
  }
  return navigator.languages.some((language) => language.toLowerCase().startsWith("fr")) &&
    !navigator.languages[0]?.toLowerCase().startsWith("en")
    ? "fr"
    : "en";
}

export const language = signal<Language>(typeof navigator === "undefined" ? "en" : first());
export const words = computed<Words>(() => catalogues[language.value]);

/** Changes the language, for the next visit too. */
export function speak(chosen: Language): void {
  language.value = chosen;
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // It holds until the page is closed.
  }
}
