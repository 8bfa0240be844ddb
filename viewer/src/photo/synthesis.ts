/** Pixels of tokens, piece by piece. A piece is computed with a margin as wide as the receptive field, which is cut off:
 * the result is that of the whole picture at once, up to the rounding of floats. */

import type { Header, Rectangle } from "../format/header.ts";
import { box, float32, int32, type Net, type Tensor } from "./net.ts";
import { type Stage, STRIDES } from "./tokens.ts";

const BLOCK = STRIDES[1];
const POOL = STRIDES[0] / BLOCK;
const QUALITY_MAX = 25600;

/** dequantization: tokens -> latent; synthesis, of one tune: latent -> pixels. levels: of quality. zero: index of the
 * zero codeword. halo: positions of the latent around a piece that its pixels depend on. */
export interface Transform {
  dequantization: Net;
  synthesis: Net;
  levels: number;
  zero: number;
  halo: number;
}

/** The pixels of a part of the picture, RGB, from its tokens: 3 bytes each, row by row. The part begins at multiples of
 * 64, and ends there or with the picture. */
export async function synthesise(
  transform: Transform,
  header: Header,
  tokens: readonly Stage[],
  part: Rectangle,
): Promise<Uint8Array> {
  const from = { row: part.top / BLOCK, column: part.left / BLOCK };
  const to = { row: Math.ceil((part.top + part.height) / BLOCK), column: Math.ceil((part.left + part.width) / BLOCK) };
  const last = { row: POOL * tokens[0].rows, column: POOL * tokens[0].columns }; // the picture, padded to 64 pixels
  const needed = neededBlocks(transform.halo, from, to, last);
  const latent = await dequantize(transform, header, tokens, needed);
  const pixels = await run(transform, header, latent, {
    left: from.column - needed.left,
    top: from.row - needed.top,
    width: to.column - from.column,
    height: to.row - from.row,
  });
  return toBytes(pixels, part);
}

/** What the tokens of stage 0 say of the picture: its colours at every 64 pixels, (rows, columns) of them, RGB. Every
 * position stands for a block of 16 pixels here, whose mean is taken: a sixteenth of the work of the whole picture. */
export async function preview(transform: Transform, header: Header, tokens: readonly Stage[]): Promise<Uint8Array> {
  const { rows, columns } = tokens[0];
  const fine = { ...tokens[1], data: new Int16Array() }; // beyond its end tokens are zero
  const whole = await dequantize(transform, header, [tokens[0], { ...fine, rows: 0, columns: 0 }], {
    left: 0,
    top: 0,
    width: POOL * columns,
    height: POOL * rows,
  });
  const channels = whole.dims[1];
  const data = new Float32Array(channels * rows * columns);
  for (let channel = 0, at = 0; channel < channels; channel++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        data[at++] = whole.data[((channel * rows + row) * POOL * columns + column) * POOL];
  const latent = float32(data, 1, channels, rows, columns);
  const pixels = await run(transform, header, latent, { left: 0, top: 0, width: columns, height: rows });
  return blockMeans(pixels);
}

/** Positions of the latent that the pixels of those between `from` and `to` depend on, as whole positions of stage 0. */
function neededBlocks(halo: number, from: Place, to: Place, last: Place): Rectangle {
  const margin = Math.ceil(halo / POOL) * POOL;
  const top = Math.max(0, from.row - margin);
  const left = Math.max(0, from.column - margin);
  const end = (at: number, most: number) => Math.min(Math.ceil(at / POOL) * POOL + margin, most);
  return { left, top, width: end(to.column, last.column) - left, height: end(to.row, last.row) - top };
}

interface Place {
  row: number;
  column: number;
}

/** The latent of these positions. */
async function dequantize(
  transform: Transform,
  header: Header,
  tokens: readonly Stage[],
  part: Rectangle,
): Promise<Tensor> {
  const [coarse, fine] = tokens.map((stage, number) => {
    const scale = number === 0 ? POOL : 1;
    return cut(stage, part.left / scale, part.top / scale, part.width / scale, part.height / scale, transform.zero);
  });
  const { dequantization, levels } = transform;
  const level = (header.quality / QUALITY_MAX) * (levels - 1) + header.tune * levels;
  return (await dequantization.run({ coarse, fine, level: float32(Float32Array.of(level)) })).latent;
}

/** Indices of codewords at these positions of a stage; those behind its end are zero codewords. */
function cut(stage: Stage, left: number, top: number, width: number, height: number, zero: number): Tensor {
  const { groups, rows, columns, data } = stage;
  const found = new Int32Array(groups * width * height).fill(zero);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < Math.min(height, rows - top); row++) {
      const from = (group * rows + top + row) * columns + left;
      const to = (group * height + row) * width;
      for (let column = 0; column < Math.min(width, columns - left); column++)
        found[to + column] = data[from + column] + zero;
    }
  }
  return int32(found, groups, height, width);
}

/** The pixels of these positions of a latent. */
async function run(transform: Transform, header: Header, latent: Tensor, shown: Rectangle): Promise<Tensor> {
  const level = (header.quality / QUALITY_MAX) * (transform.levels - 1);
  const given = { latent, level: float32(Float32Array.of(level)), shown: box(shown) };
  return (await transform.synthesis.run(given)).pixels;
}

/** Pixels (1, 3, rows, columns) of 0 to 1 -> the first of these rows and columns, RGB. */
function toBytes(pixels: Tensor, { width, height }: { width: number; height: number }): Uint8Array {
  const [, , rows, columns] = pixels.dims;
  const found = new Uint8Array(3 * width * height);
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < height; row++) {
      const from = (channel * rows + row) * columns;
      let to = 3 * row * width + channel;
      for (let column = 0; column < width; column++, to += 3) found[to] = gray(pixels.data[from + column]);
    }
  }
  return found;
}

/** Means of blocks of 16 pixels, RGB. */
function blockMeans(pixels: Tensor): Uint8Array {
  const rows = pixels.dims[2] / BLOCK;
  const columns = pixels.dims[3] / BLOCK;
  const sums = new Float64Array(3 * rows * columns);
  for (let channel = 0, at = 0; channel < 3; channel++)
    for (let y = 0; y < rows * BLOCK; y++)
      for (let x = 0; x < columns * BLOCK; x++, at++)
        sums[3 * (Math.floor(y / BLOCK) * columns + Math.floor(x / BLOCK)) + channel] += pixels.data[at];
  return Uint8Array.from(sums, (sum) => gray(sum / BLOCK ** 2));
}

/** 0 to 1 -> 0 to 255, rounded to the even one of two that are equally near, as Python does. */
function gray(value: number): number {
  const scaled = Math.fround(Math.fround(value) * 255);
  const low = Math.floor(scaled);
  const rest = scaled - low;
  const rounded = rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low;
  return Math.min(Math.max(rounded, 0), 255);
}
