/** What the tests drive under Node: `node tool.mjs COMMAND`, with one request after the other on stdin, each 4 bytes of
 * length, little-endian, and as many of data. The answer to each is a line of JSON; one more line, the last, says the
 * most memory that the process had. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { emptySamples, readSamples, shownPart, wholeRaster } from "../src/exact/samples.ts";
import { readTile } from "../src/exact/tile.ts";
import { type NicFile, readFile } from "../src/format/container.ts";
import { crc32c } from "../src/format/crc32c.ts";
import { NicError } from "../src/format/errors.ts";
import { unpackExtras } from "../src/format/extras.ts";
import { frequencyTables, readCall, writeCall } from "../src/format/frequencyTables.ts";
import { toHex } from "../src/format/header.ts";
import { RangeDecoder } from "../src/format/rangeDecoder.ts";
import { RangeEncoder } from "../src/format/rangeEncoder.ts";
import { decode, toGray } from "../src/photo/decode.ts";
import { encode } from "../src/photo/encode.ts";
import { prove } from "../src/photo/knownAnswer.ts";
import { type Model, openAnalyser, openModel } from "../src/photo/model.ts";
import type { Net } from "../src/photo/net.ts";
import { prepareRuntime } from "../src/photo/runtime.ts";
import { hashedBytes } from "../src/photo/tokens.ts";
import { encodePng } from "../src/picture/png.ts";
import { checkShowable } from "../src/showable.ts";

declare const RUNTIME: string; // the folder of the runtime's files

type Answer = (request: Uint8Array) => unknown;

/** What the container says, with the checksums of its parts for the data. */
const container: Answer = async (request) => {
  const file = readFile(request);
  const extras = await unpackExtras(file);
  return {
    header: file.header,
    tiles: file.tiles.map((parts) => parts.map(({ first, end, data }) => [first, end, crc32c(data)])),
    extras: Object.fromEntries(
      Object.entries(extras).map(([name, value]) => [name, value instanceof Uint8Array ? crc32c(value) : value]),
    ),
    entries: file.entries.map(({ name, offset, size }) => [name, offset, size]),
  };
};

/** Values of calls, one after the other in one stream. The request is a line of JSON, then the stream. */
const calls: Answer = (request) => {
  const line = request.indexOf(10);
  const { weights, shift, tables } = JSON.parse(new TextDecoder().decode(request.subarray(0, line)));
  const model = frequencyTables(Int32Array.from(weights.flat()), Uint8Array.from(shift));
  const coder = new RangeDecoder(request.subarray(line + 1));
  return tables.map((table: number[]) => Array.from(readCall(coder, model, Uint16Array.from(table))));
};

/** Tokens and pixels of a picture: with the models in the folder that the second argument names, by their ids, in as many
 * threads as the third says, or one. */
const picture: Answer = async (request) => {
  const file = readFile(request);
  checkShowable(file);
  if (file.header.profile === "exact") return exactPicture(file);
  const folder = join(process.argv[3], `${file.header.codebookId}.nicm`);
  const model = await modelOf(folder, file.header.tune, file.header.codebookId);
  const { width, height, isGray } = file.header;
  const pixels = new Uint8Array(3 * width * height);
  let tokens = "";
  let count = 0;
  const started = performance.now();
  for await (const progress of decode(file, model)) {
    if (progress.kind === "tokens") {
      tokens = await sha256(hashedBytes(progress.tokens, model.prior.zero));
      count = progress.tokens.reduce((sum, stage) => sum + stage.data.length, 0);
    } else if (progress.kind === "piece") {
      const { part } = progress;
      for (let row = 0; row < part.height; row++) {
        const line = progress.pixels.subarray(3 * part.width * row, 3 * part.width * (row + 1));
        pixels.set(line, 3 * ((part.top + row) * width + part.left));
      }
    }
  }
  if (isGray) toGray(pixels);
  return { sha256: tokens, count, width, height, pixels: Buffer.from(pixels).toString("base64"), ms: performance.now() - started };
};

/** Samples and pixels of a picture of the profile exact, and the PNG that is saved of it. */
async function exactPicture(file: NicFile): Promise<unknown> {
  const samples = emptySamples(file.header);
  const started = performance.now();
  for (const part of readSamples(file, samples)) void part;
  const ms = performance.now() - started;
  const { width, height, channels } = samples;
  const { data } = shownPart(samples, { left: 0, top: 0, width, height });
  const png = await encodePng(wholeRaster(samples), {});
  return {
    sha256: await sha256(samples.hashed), width, height, channels, pixels: Buffer.from(data).toString("base64"),
    png: Buffer.from(await png.arrayBuffer()).toString("base64"), ms,
  };
}

/** The samples of a tile. The request is a line of JSON, then the data of the tile. */
const tile: Answer = (request) => {
  const line = request.indexOf(10);
  const { channels, width, height, depth } = JSON.parse(new TextDecoder().decode(request.subarray(0, line)));
  return readTile(request.subarray(line + 1), channels, width, height, depth).map((plane) => Array.from(plane));
};

/** The file of a picture. The request is a line of JSON, then RGBA. */
const compress: Answer = async (request) => {
  const line = request.indexOf(10);
  const { width, height, quality, id } = JSON.parse(new TextDecoder().decode(request.subarray(0, line)));
  const folder = join(process.argv[3], `${id}.nicm`);
  prepareRuntime(RUNTIME, 1);
  const { analyser, tune } = await openAnalyser(id, fetcher(folder));
  const pixels = { width, height, data: new Uint8ClampedArray(request.subarray(line + 1)) } as ImageData;
  const file = await encode(pixels, quality, await modelOf(folder, tune, id), analyser, () => {});
  return { file: Buffer.from(file).toString("base64") };
};

/** Whether the model of an id is computed as it must be. The request is JSON: the id, and of which net, if of any, an engine
 * adds 1 to the last number of the parameters, or of the first output. */
const proof: Answer = async (request) => {
  const { id, wrong } = JSON.parse(new TextDecoder().decode(request));
  const { name, prior, known } = await modelOf(join(process.argv[3], `${id}.nicm`), 0, id);
  const steps = prior.steps.map((net, number) => (number === wrong ? falsified(net) : net));
  const layers = wrong === "layers" ? falsified(known.layers) : known.layers;
  await prove(name, { ...prior, steps }, { ...known, layers });
  return {};
};

const falsified = (net: Net): Net => ({
  ...net,
  async run(given) {
    const found = await net.run(given);
    const { data } = found.parameters ?? Object.values(found)[0];
    data[data.length - 1] += 1;
    return found;
  },
});

/** Values to the stream of one call, after the example of `calls`. The request is JSON. */
const streams: Answer = (request) => {
  const { weights, shift, calls } = JSON.parse(new TextDecoder().decode(request));
  const model = frequencyTables(Int32Array.from(weights.flat()), Uint8Array.from(shift));
  const coder = new RangeEncoder();
  for (const [values, table] of calls) writeCall(coder, model, Uint16Array.from(table), Int32Array.from(values));
  return Buffer.from(coder.finish()).toString("hex");
};

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data)));
}

const fetcher = (folder: string) => async (name: string) => new Uint8Array(readFileSync(join(folder, name)));

const models = new Map<string, Model>();

async function modelOf(folder: string, tune: number, id: string): Promise<Model> {
  prepareRuntime(RUNTIME, Number(process.argv[4] ?? 1));
  const key = `${folder}:${tune}`;
  if (!models.has(key))
    models.set(key, await openModel(id, tune, fetcher(folder)));
  return models.get(key)!;
}

const COMMANDS: Record<string, Answer> = { container, calls, streams, tile, picture, proof, compress };

const answer = COMMANDS[process.argv[2]];
const input = readFileSync(0);
for (let at = 0; at < input.length; ) {
  const size = input.readUInt32LE(at);
  const request = new Uint8Array(input.subarray(at + 4, at + 4 + size));
  at += 4 + size;
  let told: unknown;
  try {
    told = await answer(request);
  } catch (error) {
    if (!(error instanceof NicError)) throw new Error(`for ${toHex(request.subarray(0, 4096))}`, { cause: error });
    told = { error: error.message, kind: error.kind };
  }
  console.log(JSON.stringify(told));
}
// the runtime's threads would wait for more
process.stdout.write(`${JSON.stringify({ peak: peakMemory() })}\n`, () => process.exit());

/** Bytes. Linux counts the memory of whoever started this process in its maxRSS, so that comes second. */
function peakMemory(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return Number(/VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;
}
