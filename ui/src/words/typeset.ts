// French typography: a no-break space before ":" and inside quotation marks, a narrow one before ";", "!" and "?", and one between a
// number and its unit, so that no line begins with any of these. Texts are written with plain spaces.
import type { Words } from "./en";

const NBSP = "\u00a0";
const NARROW = "\u202f";

/** `text` with the spaces of French typography. */
export function typeset(text: string): string {
  return text
    .replace(/ +:/g, `${NBSP}:`)
    .replace(/ +([;!?])/g, `${NARROW}$1`)
    .replace(/« +/g, `«${NBSP}`)
    .replace(/ +»/g, `${NBSP}»`)
    .replace(/(\d) +(%|s|min|h|caméras?|secondes?|caractères)(?![\p{L}])/gu, `$1${NBSP}$2`);
}

/** A catalogue whose every text is typeset, also those that are made when they are needed. */
export function typesetAll(words: Words): Words {
  const done = Object.entries(words).map(([key, text]) => [
    key,
    typeof text === "string" ? typeset(text) : (...values: never[]) => typeset((text as (...values: never[]) => string)(...values)),
  ]);
  return Object.fromEntries(done) as Words;
}
