/** Pixels to what tokens are chosen from, piece by piece. */

import type { Header, Rectangle } from "../format/header.ts";
import { box, float32, type Net, type Tensor } from "./net.ts";
import { STRIDES } from "./tokens.ts";

const PIECE = 512; // side in pixels, a multiple of 64
const BLOCK = STRIDES[1];
const QUALITY_MAX = 25600;

/** analysis: pixels -> latent; quantization: latent -> centred tokens of stage 0 and real numbers near those of stage 1.
 * levels: of quality. halo: positions of the latent around a piece on whose pixels it depends. */
export interface Analyser {
  analysis: Net;
  quantization: Net;
  levels: number;
  halo: number;
}

/** Real numbers near the centred tokens of a picture, (groups, rows, columns) of each stage; those of stage 0 are
 * integers. importance: of a squared error, at each position of stage 1. */
export interface Latent {
  stages: { data: Float32Array; rows: number; columns: number }[];
  importance: Float32Array;
}

/** pixels: RGBA, 4 bytes each. groups: of each stage. advance: is told the share that is done, 0 to 1. */
export async function analyse(
  analyser: Analyser,
  header: Header,
  pixels: Uint8ClampedArray,
  groups: readonly number[],
  advance: (share: number) => void,
): Promise<Latent> {
  const { width, height } = header;
  const stages = STRIDES.map((stride, stage) => {
    const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
    return { data: new Float32Array(groups[stage] * rows * columns), rows, columns };
  });
  const importance = new Float32Array(stages[1].rows * stages[1].columns).fill(1);
  const level = (header.quality / QUALITY_MAX) * (analyser.levels - 1) + header.tune * analyser.levels;
  for (let top = 0; top < height; top += PIECE) {
    for (let left = 0; left < width; left += PIECE) {
      const latent = await latentOf(analyser, header, pixels, left, top);
      const given = { latent, level: float32(Float32Array.of(level)) };
      const found = await analyser.quantization.run(given);
      for (const [stage, name] of ["coarse", "fine"].entries())
        paste(stages[stage], found[name], top / STRIDES[stage], left / STRIDES[stage]);
      const weight = { data: importance, rows: stages[1].rows, columns: stages[1].columns };
      if (header.tune === 1) paste(weight, found.importance, top / BLOCK, left / BLOCK);
      advance(Math.min(1, (top * width + Math.min(left + PIECE, width) * PIECE) / (width * height)));
    }
  }
  return { stages, importance };
}

/** The latent of the piece that begins there, its sides multiples of 64 pixels. */
async function latentOf(
  { analysis, halo }: Analyser,
  { width, height }: Header,
  pixels: Uint8ClampedArray,
  left: number,
  top: number,
): Promise<Tensor> {
  const margin = halo * BLOCK;
  const up = (length: number) => Math.ceil(length / STRIDES[0]) * STRIDES[0];
  const right = Math.min(left + PIECE, up(width));
  const bottom = Math.min(top + PIECE, up(height));
  const part = { left: Math.max(0, left - margin), top: Math.max(0, top - margin), width: 0, height: 0 };
  part.width = Math.min(right + margin, up(width)) - part.left;
  part.height = Math.min(bottom + margin, up(height)) - part.top;
  const shown = box({
    left: (left - part.left) / BLOCK,
    top: (top - part.top) / BLOCK,
    width: (right - left) / BLOCK,
    height: (bottom - top) / BLOCK,
  });
  return (await analysis.run({ pixels: planes(pixels, width, height, part), shown })).latent;
}

/** A part of the picture, which may reach past its end, as (1, 3, rows, columns) of 0 to 1; its last pixels go on. */
function planes(pixels: Uint8ClampedArray, width: number, height: number, part: Rectangle): Tensor {
  const data = new Float32Array(3 * part.width * part.height);
  for (let channel = 0, at = 0; channel < 3; channel++) {
    for (let row = part.top; row < part.top + part.height; row++) {
      const line = Math.min(row, height - 1) * width;
      for (let column = part.left; column < part.left + part.width; column++)
        data[at++] = pixels[4 * (line + Math.min(column, width - 1)) + channel] / 255;
    }
  }
  return float32(data, 1, 3, part.height, part.width);
}

/** Puts (groups, rows, columns), or (rows, columns), into a larger map at a place; what reaches past its end is left. */
function paste(to: { data: Float32Array; rows: number; columns: number }, from: Tensor, top: number, left: number): void {
  const [rows, columns] = from.dims.slice(-2);
  const groups = to.data.length / (to.rows * to.columns);
  const width = Math.min(columns, to.columns - left);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < Math.min(rows, to.rows - top); row++) {
      const at = (group * rows + row) * columns;
      to.data.set(from.data.subarray(at, at + width), (group * to.rows + top + row) * to.columns + left);
    }
  }
}
