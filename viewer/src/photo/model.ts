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

/** A model that decodes files of one tune, and codes them. groups: tokens per position of each stage. */
export interface Model {
  id: string;
  name: string;
  tune: number;
  groups: readonly number[];
  prior: Prior;
  transform: Transform;
  known: KnownAnswer;
}

/** Gets the model of this codebook id, as far as decoding needs it. advance: is told the share of it that is there, 0
 * to 1. Throws a NicError where the model is not there, or cannot be used. */
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
  try {
    const frequencies = readTables(tables, await unpack(manifest, tables.file, fetch));
    const others = ["dequantization.onnx", `synthesis-${TUNES[tune]}.onnx`, known.file];
    const nets = await openNets(manifest, [...manifest.steps.map(({ file }) => file), ...others], fetch, advance);
    const [dequantization, synthesis, layers] = nets.splice(-3);
    return {
      id,
      name: manifest.name,
      tune,
      groups: tokenizer.channels,
      prior: { steps: nets, slices: prior.slices, window: prior.windows[0], zero, tables: frequencies },
      transform: { dequantization, synthesis, levels: tokenizer.levels, zero, halo: manifest.halo.synthesis },
      known: { sha256: known.sha256, quality: known.quality, layers, outputs: Object.keys(known.outputs) },
    };
  } catch (error) {
    throw damaged(id, error);
  }
}

/** The nets that only writers need, and which tune they should take: the last that the model has, for the eye. Throws as
 * `openModel`. */
export async function openAnalyser(id: string, fetch: Fetcher): Promise<{ analyser: Analyser; tune: number }> {
  const manifest = await readManifest(id, fetch);
  try {
    const [analysis, quantization] = await openNets(manifest, ["analysis.onnx", "quantization.onnx"], fetch);
    const analyser = { analysis, quantization, levels: manifest.tokenizer.levels, halo: manifest.halo.analysis };
    return { analyser, tune: manifest.prior.tunes - 1 };
  } catch (error) {
    throw damaged(id, error);
  }
}

function openNets(
  { steps, transforms, known_answer: known, files }: Manifest,
  names: readonly string[],
  fetch: Fetcher,
  advance: (share: number) => void = () => {},
): Promise<Net[]> {
  const graphs = [...steps, ...transforms, known];
  let read = 0;
  return Promise.all(
    names.map(async (name) => {
      const { inputs } = graphs.find(({ file }) => file === name)!;
      const net = openNet(await unpack({ files }, name, fetch), Object.keys(inputs));
      advance(++read / names.length);
      return net;
    }),
  );
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

async function unpack({ files }: Pick<Manifest, "files">, name: string, fetch: Fetcher): Promise<Uint8Array<ArrayBuffer>> {
  const { file, bytes } = files[name];
  const stream = new Blob([await fetch(file)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const unpacked = new Uint8Array(await new Response(stream).arrayBuffer());
  if (unpacked.length !== bytes) throw new Error(`${name} has another size than it must`);
  return unpacked;
}

function readTables({ count, symbols }: Tables, data: Uint8Array<ArrayBuffer>): FrequencyTables {
  const weights = new Int32Array(data.buffer, 0, count * symbols);
  return frequencyTables(weights, data.subarray(4 * count * symbols));
}
