/** A model of the profile `photo`, exported for ONNX Runtime (docs/onnx.md), from a folder beside the page. */

import { NicError } from "../format/errors.ts";
import { frequencyTables } from "../format/frequencyTables.ts";
import type { Net } from "./net.ts";
import { openNet } from "./runtime.ts";
import type { Transform } from "./synthesis.ts";
import type { Prior } from "./walk.ts";

/** Gives the bytes of a file of a model. Throws where there is none. */
export type Fetcher = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** groups: tokens per position of each stage. */
export interface Model {
  groups: readonly number[];
  tunes: number;
  prior: Prior;
  transform: Transform;
}

/** Opens what decoding a file of this tune needs. Throws a NicError where the model is not there, or cannot be used. */
export async function openModel(id: string, tune: number, fetch: Fetcher): Promise<Model> {
  const config = await manifest(id, fetch);
  const { prior, tokenizer } = config;
  if (tune >= prior.tunes) throw new NicError("file", `The file has tune ${tune}, which its model does not have.`);
  const slices: number[][] = prior.slices;
  const zero = Math.floor(tokenizer.codes / 2);
  try {
    const steps: Net[] = [];
    for (let step = 0; step < 2 * slices.flat().length; step++)
      steps.push(await openNet(await fetch(`prior-${String(step).padStart(2, "0")}.onnx`)));
    const dequantization = await openNet(await fetch("dequantization.onnx"));
    const synthesis: Net[] = [];
    synthesis[tune] = await openNet(await fetch(`synthesis-${["psnr", "visual"][tune]}.onnx`));
    const tables = await readTables(fetch);
    const halo = tokenizer.synthesis_blocks[0] + tokenizer.synthesis_blocks[1];
    return {
      groups: tokenizer.channels,
      tunes: prior.tunes,
      prior: { steps, slices, window: prior.windows[0], zero, tables },
      transform: { dequantization, synthesis, levels: tokenizer.levels, zero, halo },
    };
  } catch (error) {
    throw new NicError("model", `The model ${id} beside this page is damaged (${(error as Error).message}).`);
  }
}

async function manifest(id: string, fetch: Fetcher) {
  try {
    return JSON.parse(new TextDecoder().decode(await fetch("model.json")));
  } catch {
    throw new NicError("model", `The file needs the model ${id}, which does not lie beside this page.`);
  }
}

const TABLES = 1024;

async function readTables(fetch: Fetcher) {
  const data = await fetch("tables.bin");
  const weights = new Int32Array(data.buffer, 0, (data.length - TABLES) / 4);
  return frequencyTables(weights, data.subarray(data.length - TABLES));
}
