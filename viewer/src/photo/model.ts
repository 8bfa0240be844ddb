/** A model of the profile `photo` as a folder of graphs (docs/graphs.md), which lies beside the page. */

import { NicError } from "../format/errors.ts";
import { frequencyTables, type FrequencyTables } from "../format/frequencyTables.ts";
import { TUNES } from "../format/header.ts";
import type { Analyser } from "./analysis.ts";
import type { KnownAnswer } from "./knownAnswer.ts";
import type { Net } from "./net.ts";
import { openNet } from "./runtime.ts";
import type { Transform } from "./synthesis.ts";
import type { Prior } from "./walk.ts";

const FORMAT = "imgcodec-graphs-2";

/** Gives the bytes of a file of the model's folder. Throws where there is none. */
export type Fetcher = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** A model that decodes files of one tune, and codes them, parts of which are still on their way. groups: tokens per
 * position of each stage. whole: when all of it is there. */
export interface Model {
  id: string;
  name: string;
  tune: number;
  groups: readonly number[];
  prior: Prior;
  transform: Transform;
  known: KnownAnswer;
  whole: Promise<void>;
}

/** Gets the model of this codebook id, as far as decoding needs it. advance: is told the share of it that is there, 0
 * to 1. Throws a NicError where the model is not there, or cannot be used; so do its nets where they do not come. */
export async function openModel(
  id: string,
  tune: number,
  fetch: Fetcher,
  advance: (share: number) => void = () => {},
): Promise<Model> {
  const manifest = await readManifest(id, fetch);
  const { prior, tokenizer, tables, known_answer: known } = manifest;
  if (tune >= prior.tunes) throw new NicError("file", `The file has tune ${TUNES[tune]}, which its model does not have.`);
  const zero = Math.floor(tokenizer.codes / 2);
  const unpacked = unpacker(manifest, fetch);
  const frequencies = unpacked(tables.file, (data) => readTables(tables, data));
  // in the order in which they are needed: the preview is made of stage 0
  const steps = manifest.steps.map(({ file }) => file);
  const coarse = steps.splice(0, 2 * prior.slices[0].length);
  const others = ["dequantization.onnx", `synthesis-${TUNES[tune]}.onnx`];
  const { nets, whole } = openNets(manifest, [...coarse, ...others, ...steps, known.file], unpacked, advance);
  const [dequantization, synthesis] = nets.splice(coarse.length, 2);
  const layers = nets.pop()!;
  return {
    id,
    name: manifest.name,
    tune,
    groups: tokenizer.channels,
    prior: { steps: nets, slices: prior.slices, window: prior.windows[0], zero, tables: await frequencies },
    transform: { dequantization, synthesis, levels: tokenizer.levels, zero, halo: manifest.halo.synthesis },
    known: { sha256: known.sha256, quality: known.quality, layers, outputs: Object.keys(known.outputs) },
    whole,
  };
}

/** The nets that only writers need, and which tune they should take: the last that the model has, for the eye. Throws as
 * `openModel`. */
export async function openAnalyser(id: string, fetch: Fetcher): Promise<{ analyser: Analyser; tune: number }> {
  const manifest = await readManifest(id, fetch);
  const { nets, whole } = openNets(manifest, ["analysis.onnx", "quantization.onnx"], unpacker(manifest, fetch));
  const [analysis, quantization] = nets;
  await whole;
  const analyser = { analysis, quantization, levels: manifest.tokenizer.levels, halo: manifest.halo.analysis };
  return { analyser, tune: manifest.prior.tunes - 1 };
}

/** Nets whose graphs are on their way, and when all are there. */
function openNets(
  { id, steps, transforms, known_answer: known }: Manifest,
  names: readonly string[],
  unpacked: Unpacker,
  advance: (share: number) => void = () => {},
): { nets: Net[]; whole: Promise<void> } {
  const inputsOf = new Map([...steps, ...transforms, known].map(({ file, inputs }) => [file, Object.keys(inputs)]));
  let read = 0;
  const graphs = names.map((name) => unpacked(name, (data) => data));
  for (const graph of graphs)
    graph.then(
      () => advance(++read / names.length),
      () => {}, // the net that lacks its graph will tell
    );
  const whole = Promise.all(graphs).then(() => {});
  whole.catch(() => {});
  const nets = names.map((name, at) => {
    const inputs = inputsOf.get(name);
    if (!inputs) throw damaged(id, new Error(`model.json does not say what ${name} takes`));
    return openNet(graphs[at], inputs);
  });
  return { nets, whole };
}

/** Reads a file of a model, as it was before it was compressed. Throws a NicError where it is damaged, or does not come. */
type Unpacker = <T>(name: string, read: (data: Uint8Array<ArrayBuffer>) => T) => Promise<T>;

/** Files are fetched side by side, and unpacked one after the other: what is asked for first is there first. */
function unpacker({ id, files }: Manifest, fetch: Fetcher): Unpacker {
  let before: Promise<unknown> = Promise.resolve();
  return (name, read) => {
    const last = before;
    const data = (async () => fetch(files[name].file))();
    data.catch(() => {}); // told when its turn comes
    const found = (async () => {
      await last;
      try {
        return read(await unpack(name, files[name].bytes, await data));
      } catch (error) {
        throw damaged(id, error);
      }
    })();
    before = found.catch(() => {});
    return found;
  };
}

async function unpack(name: string, bytes: number, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  const unpacked = new Uint8Array(await new Response(stream).arrayBuffer());
  if (unpacked.length !== bytes) throw new Error(`${name} has another size than it must`);
  return unpacked;
}

function damaged(id: string, error: unknown): NicError {
  return new NicError("model", `The model ${id} beside this page is damaged: ${(error as Error).message}.`);
}

/** What of model.json is used here. */
interface Manifest {
  format: string;
  name: string;
  id: string;
  tokenizer: { channels: number[]; codes: number; levels: number };
  prior: { slices: number[][]; windows: number[]; tunes: number };
  tables: Tables;
  steps: Graph[];
  transforms: Graph[];
  known_answer: Graph & { sha256: string; quality: number };
  halo: { analysis: number; synthesis: number };
  files: Record<string, { file: string; bytes: number }>;
}

interface Graph {
  file: string;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}

interface Tables {
  file: string;
  count: number;
  symbols: number;
}

async function readManifest(id: string, fetch: Fetcher): Promise<Manifest> {
  let manifest: Manifest | undefined;
  try {
    manifest = JSON.parse(new TextDecoder().decode(await fetch("model.json")));
  } catch {
    // said below
  }
  if (manifest?.format !== FORMAT || manifest.id !== id)
    throw new NicError("model", `The file needs the model ${id}, which does not lie beside this page.`);
  return manifest;
}

function readTables({ count, symbols }: Tables, data: Uint8Array<ArrayBuffer>): FrequencyTables {
  const weights = new Int32Array(data.buffer, 0, count * symbols);
  return frequencyTables(weights, data.subarray(4 * count * symbols));
}
