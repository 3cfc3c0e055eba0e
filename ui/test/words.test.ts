import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { en } from "../src/words/en";
import { fr } from "../src/words/fr";
import { typeset } from "../src/words/typeset";

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "words" ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const files = sources("src").map((path) => ({ path, text: readFileSync(path, "utf8") }));
const code = files.map(({ text }) => text).join("\n");

test("each language has every word, and none is empty or left in English", () => {
  assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
  const same = new Set(["title", "menu", "kindZone", "newZone", "pause"]);
  for (const [key, text] of Object.entries(en)) {
    const other = fr[key as keyof typeof fr];
    assert.equal(typeof other, typeof text, key);
    if (typeof text === "string") {
      assert.ok(text.trim().length > 0 && (other as string).trim().length > 0, key);
      if (!same.has(key)) assert.notEqual(other, text, key);
    }
  }
});

test("every word is used", () => {
  // These are looked up by what the hub says.
  const looked = /^(did_|error_|why_|a_|colours_|gap_)|^(person|bicycle|car|cat|dog)$/;
  assert.match(code, /words\[incident\.label\]/);
  assert.match(code, /words\[`a_\$\{incident\.label\}`\]/);
  assert.match(code, /w\[`gap_\$\{gap\.why\}`\]/);
  assert.match(code, /w\[`colours_\$\{one\}`\]/);
  for (const key of Object.keys(en)) {
    if (looked.test(key)) continue;
    assert.match(code, new RegExp(`\\b(w|words|words\\.value)(\\.|\\[")${key}\\b`), key);
  }
});

test("no text outside the catalogues", () => {
  for (const { path, text } of files.filter(({ path }) => path.endsWith(".tsx"))) {
    // Text between tags, and attributes that are read aloud. The names of languages are in their own.
    const between = [...text.matchAll(/(?<!=)>\s*([A-Za-zÀ-ÿ][^<>{}=;()]*?)\s*</g)].map((found) => found[1]);
    const aloud = [...text.matchAll(/(?:aria-label|alt|title|placeholder)="([^"]+)"/g)].map((found) => found[1]);
    const loose = [...between, ...aloud].filter((found) => found !== "English" && found !== "Français");
    assert.deepEqual(loose, [], path);
  }
});

/** Every text of a catalogue, also those that are made when they are needed. */
const texts = (catalogue: typeof en): [string, string][] =>
  Object.entries(catalogue).map(([key, text]) => [
    key,
    typeof text === "string" ? text : (text as (...values: (string | number)[]) => string)(...(/somePaused|cornerAt/.test(key) ? [2, 3] : ["Allée", 3])),
  ]);

test("French has its no-break spaces, everywhere", () => {
  for (const [key, text] of texts(fr)) {
    assert.doesNotMatch(text, / [:;!?»%]|« /, key);
    assert.doesNotMatch(text, /[^\s\u00a0\u202f][;!?»](?!\S)|(?<![\u00a0\d]):(?=\s|$)/, `${key}: ${text}`);
    assert.doesNotMatch(text, /'/, `${key}: a straight apostrophe`);
  }
  assert.equal(fr.cornerAt(3, 4), "Croix à 3\u00a0% depuis la gauche, 4\u00a0% depuis le haut");
});

test("French typography is put into texts that are written plainly", () => {
  assert.equal(typeset("Quoi ? Oui : « non » !"), "Quoi\u202f? Oui\u00a0: «\u00a0non\u00a0»\u202f!");
  assert.equal(typeset("12 h, 30 secondes et 5 hommes"), "12\u00a0h, 30\u00a0secondes et 5 hommes");
});
