// The words of the chosen language. Those of the other one are fetched when they are chosen.
import { computed, signal } from "@preact/signals";

import { keep, kept } from "../kept";
import type { Language } from "../time";
import type { Words } from "./en";
import { first as english } from "./en-first";

export type { Words };

function first(): Language {
  const chosen = kept("language");
  if (chosen === "en" || chosen === "fr") return chosen;
  return navigator.languages.some((language) => language.toLowerCase().startsWith("fr")) &&
    !navigator.languages[0]?.toLowerCase().startsWith("en")
    ? "fr"
    : "en";
}

/** What the first view does not say is there before anything is shown that says it: see `everyWord`. */
const en = english as Words;
const catalogues = signal<Partial<Record<Language, Words>>>({ en });
const chosen = signal<Language>("en");

/** The language that the page speaks: the one that was chosen, as soon as its words are there. */
export const language = computed<Language>(() => (catalogues.value[chosen.value] ? chosen.value : "en"));
export const words = computed<Words>(() => catalogues.value[language.value] ?? en);

/** Fetches what the first view does not say. */
export async function everyWord(): Promise<void> {
  const { more } = await import("./en-more");
  if (catalogues.peek().en === en) catalogues.value = { ...catalogues.peek(), en: { ...english, ...more } };
}

/** Speaks `wanted` from now on; resolves once its words are there. Without them the page stays as it is. */
export async function speak(wanted: Language, stays = true): Promise<void> {
  chosen.value = wanted;
  if (stays) keep("language", wanted);
  if (wanted === "fr" && !catalogues.peek().fr) {
    const { fr } = await import("./fr");
    catalogues.value = { ...catalogues.peek(), fr };
  }
}

/** Speaks the language of the reader. */
export const speakFirst = (): Promise<void> => (typeof navigator === "undefined" ? Promise.resolve() : speak(first(), false));
