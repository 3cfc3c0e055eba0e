// English. Its keys are those of every language; the compiler refuses one that lacks any.
import { first } from "./en-first";
import { more } from "./en-more";

export const en = { ...first, ...more };

export type Words = typeof en;
