/** The known-answer test of a prior (docs/numerics.md): integers that this browser must compute as the program does, or no
 * picture of it can be trusted. */

import { crc32c } from "../format/crc32c.ts";
import { NicError } from "../format/errors.ts";
import { toHex } from "../format/header.ts";
import { int32, type Net, type Tensor } from "./net.ts";
import { type Prior, Steps } from "./walk.ts";

/** sha256: of the checksums of all parts. layers: gives the second of them, the outputs of a layer of each kind and shape.
 * outputs: their names, in order. */
export interface KnownAnswer {
  sha256: string;
  quality: number;
  layers: Net;
  outputs: readonly string[];
}

/** Throws a NicError where the answer is another than it must be. Where a browser has no SHA-256, because the page came
 * over a network without encryption, nothing is computed. */
export async function prove(name: string, prior: Prior, known: KnownAnswer): Promise<void> {
  if (!crypto.subtle) return;
  const layers = await known.layers.run({});
  const parts = [...(await parametersOf(prior, known.quality)), ...known.outputs.map((output) => layers[output])];
  const checksums = new Uint8Array(4 * parts.length);
  const view = new DataView(checksums.buffer);
  for (const [at, { data }] of parts.entries())
    view.setUint32(4 * at, crc32c(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)), true);
  if (toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", checksums))) !== known.sha256)
    throw new NicError(
      "browser",
      `This browser computes the model ${name} differently from the machine that made it: its pictures would be wrong.`,
    );
}

/** Those of each step, for a picture of one window and tokens that are known. */
async function parametersOf(prior: Prior, quality: number): Promise<Tensor[]> {
  const { window } = prior;
  const steps = new Steps(prior, { left: 0, top: 0, width: window, height: window }, quality);
  const found: Tensor[] = [];
  let count = 0; // of tokens so far
  for (const [stage, slices] of prior.slices.entries()) {
    for (const [slice, groups] of slices.entries()) {
      for (const parity of [0, 1]) {
        const parameters = await steps.run(stage, slice, parity);
        const [, rows, columns] = parameters.dims;
        const tokens = Int32Array.from({ length: groups * rows * columns }, (_, i) => tokenOf(count + i));
        count += tokens.length;
        steps.give(int32(tokens, groups, rows, columns));
        found.push(parameters);
      }
    }
  }
  return found;
}

/** Some over the whole range, most of them small. */
function tokenOf(number: number): number {
  const hashed = Math.imul(number, 2654435761) >>> 0;
  return Math.floor((((hashed >>> 8) % 1023) - 511) / [1, 16, 128, 512][hashed >>> 30]);
}
