/** Builds the page: `node build.mjs [FOLDER]`, into the Python package unless told otherwise. With --tests, what the tests run under
 * Node goes there too. */

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const RUNTIME = "node_modules/onnxruntime-web/dist";
const [folder = "../imgcodec/viewer_page", ...rest] = process.argv.slice(2).filter((word) => word !== "--tests");
if (rest.length) throw new Error("one folder at most");
const shared = { bundle: true, format: "esm", target: "es2022", outdir: folder, logLevel: "warning", legalComments: "eof" };

rmSync(folder, { recursive: true, force: true });
mkdirSync(join(folder, "runtime"), { recursive: true });
await build({
  ...shared,
  entryPoints: { page: "src/page/main.ts", nic: "src/nic.ts", worker: "src/worker.ts" },
  minify: true,
  // the runtime's own files, which its threads load again, and not a copy of them in ours
  conditions: ["onnxruntime-web-use-extern-wasm"],
});
for (const name of ["index.html", "page.css", "icon.svg", "licenses.txt"]) cpSync(join("src/page", name), join(folder, name));
for (const name of ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"])
  cpSync(join(RUNTIME, name), join(folder, "runtime", name));

if (process.argv.includes("--tests"))
  await build({
    ...shared,
    entryPoints: ["test/tool.ts"],
    platform: "node",
    alias: { "onnxruntime-web/wasm": "onnxruntime-web" }, // which for Node loads its files for threads from there, too
    define: { RUNTIME: JSON.stringify(new URL(`${RUNTIME}/`, import.meta.url).href) },
    outExtension: { ".js": ".mjs" },
  });
