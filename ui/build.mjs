// Bundles the page into dist/, or with --tests the tests into dist-test/. File names carry a hash of their content.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";

/** The dark colours stand once in tokens.css; here they are repeated for a reader who chose them by hand, against the system's wish. */
const tokens = {
  name: "tokens",
  setup: ({ onLoad }) =>
    onLoad({ filter: /tokens\.css$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const dark = /@media \(prefers-color-scheme: dark\) \{\s*:root (\{[^}]*\})\s*\}/;
      const [, colours] = dark.exec(text) ?? [];
      if (!colours) throw new Error("tokens.css has no dark colours");
      const both = `@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) ${colours} }\n:root[data-theme="dark"] ${colours}`;
      return { contents: text.replace(dark, both), loader: "css" };
    }),
};

/**
 * A chunk is made for each set of entries that share a module. Over a slow link each is one more head to wait for, so everything
 * of the first view becomes one: what is fetched later says that it needs all of it.
 */
const together = {
  name: "together",
  setup: ({ onLoad }) =>
    onLoad({ filter: /src\/(pages\/(accounts|areas|incident|login|record|settings|timeline)\.tsx|live\/index\.ts)$/ }, async ({ path }) => {
      const contents = `${await readFile(path, "utf8")}\nimport "../app";\n`;
      return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
    }),
};

const common = { bundle: true, format: "esm", target: "es2021", jsx: "automatic", jsxImportSource: "preact", logLevel: "warning" };

if (process.argv.includes("--tests")) {
  await rm("dist-test", { recursive: true, force: true });
  const tests = (await readdir("test")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "dist-test",
    outExtension: { ".js": ".mjs" },
    platform: "node",
    target: "node18",
  });
} else {
  await rm("dist", { recursive: true, force: true });
  await mkdir("dist");
  const result = await build({
    ...common,
    entryPoints: { app: "src/main.tsx", style: "src/css/first.css", more: "src/css/more.css" },
    plugins: [tokens, together],
    outdir: "dist",
    entryNames: "[name].[hash]",
    chunkNames: "[name].[hash]",
    splitting: true,
    minify: true,
    metafile: true,
    legalComments: "external",
  });
  const named = (start, end) =>
    Object.keys(result.metafile.outputs)
      .map((path) => path.replace("dist/", ""))
      .find((name) => name.startsWith(start) && name.endsWith(end));
  /** Writes a file whose name changes with its content; its name. */
  const written = async (name, content) => {
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 8);
    const full = name.replace(/(\.[a-z]+)$/, `.${hash}$1`);
    await writeFile(`dist/${full}`, content);
    return full;
  };
  const picture = async (name) => written(name, await readFile(`src/icons/${name}`));
  // What a phone needs to have the page among its programs.
  const about = JSON.parse(await readFile("src/manifest.json", "utf8"));
  for (const one of about.icons) one.src = await picture(one.src);
  const manifest = await written("manifest.webmanifest", JSON.stringify(about));
  const touch = await picture("touch-180.png");
  // In the page itself: it is smaller than what a browser says to ask for it.
  const icon = `data:image/svg+xml,${encodeURIComponent((await readFile("src/icon.svg", "utf8")).trim())}`;
  const page = await readFile("index.html", "utf8");
  // What the program imports at once is asked for beside it, not after it.
  const program = named("app.", ".js");
  const imported = result.metafile.outputs[`dist/${program}`].imports.filter(({ kind }) => kind === "import-statement");
  const early = imported.map(({ path }) => `<link rel="modulepreload" href="${path.replace("dist/", "")}">`).join("\n");
  const names = { "icon.svg": icon, "TOUCH.png": touch, "MANIFEST.webmanifest": manifest };
  const linked = Object.entries(names).reduce((text, [mark, name]) => text.replace(mark, name), page);
  await writeFile("dist/index.html", linked.replace("APP.js", program).replace("STYLE.css", named("style.", ".css")).replace("MORE.css", named("more.", ".css")).replace("<!-- EARLY -->", early));
  // The hub sends these as they are (crates/hub/src/pages/ui.rs).
  for (const name of (await readdir("dist")).filter((name) => /\.(html|js|css|svg)$/.test(name))) {
    const text = await readFile(`dist/${name}`);
    await writeFile(`dist/${name}.br`, brotliCompressSync(text));
    await writeFile(`dist/${name}.gz`, gzipSync(text, { level: 9 }));
  }
}
