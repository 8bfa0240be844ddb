/** Builds the page: `node build.mjs [FOLDER]`, into page/ unless told otherwise. With --tests, what the tests run under
 * Node goes there too. */

import { build } from "esbuild";

const [folder = "page", ...rest] = process.argv.slice(2).filter((word) => word !== "--tests");
if (rest.length) throw new Error("one folder at most");
const shared = { bundle: true, format: "esm", target: "es2022", outdir: folder, logLevel: "warning" };

if (process.argv.includes("--tests"))
  await build({
    ...shared,
    entryPoints: ["test/tool.ts"],
    platform: "node",
    define: { RUNTIME: JSON.stringify(new URL("node_modules/onnxruntime-web/dist/", import.meta.url).href) },
    outExtension: { ".js": ".mjs" },
  });
