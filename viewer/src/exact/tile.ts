/** The exact samples of a tile: section 9.1 of docs/format.md. */

import { invalid } from "../format/errors.ts";
import { readPredicted } from "./predicted.ts";
import { readVp8l } from "./vp8l.ts";

const VP8L = 0;
const PREDICTED = 1;
const SHIFTS = [[8], [8, 24], [16, 8, 0], [16, 8, 0, 24]]; // of the channels in a pixel of VP8L, by their number

/** The samples of each channel, row by row. depth: bits of a sample. Throws a NicError for data that no encoder makes. */
export function readTile(
  data: Uint8Array,
  channels: number,
  width: number,
  height: number,
  depth: number,
): ArrayLike<number>[] {
  const [method] = data;
  if (method === PREDICTED) {
    const planes = readPredicted(data.subarray(1), channels, width, height, depth <= 8 ? 255 : 65535);
    if (depth > 8 && planes.some((plane) => plane.some((sample) => sample >= 2 ** depth)))
      throw invalid(`The exact pixels are damaged: a sample has more than ${depth} bits.`);
    return planes;
  }
  if (method !== VP8L) throw invalid("The exact pixels are of a kind that this page does not know.");
  if (depth > 8) throw invalid("The exact pixels are damaged: a VP8L has no samples of more than 8 bits.");
  const pixels = readVp8l(data.subarray(1), width, height, channels % 2 === 0);
  return SHIFTS[channels - 1].map((shift) => {
    const samples = new Uint8Array(pixels.length);
    for (let i = 0; i < pixels.length; i++) samples[i] = pixels[i] >> shift; // modulo 256
    return samples;
  });
}
