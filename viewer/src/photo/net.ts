/** What a net is to the rest of the page. */

import type { Rectangle } from "../format/header.ts";

/** Numbers, the last dimension fastest. */
export interface Tensor {
  type: "float32" | "int32";
  dims: readonly number[];
  data: Float32Array | Int32Array;
}

export type Tensors = Record<string, Tensor>;

/** A graph of the model. inputs: their names. */
export interface Net {
  inputs: readonly string[];
  run(inputs: Tensors): Promise<Tensors>;
}

export function float32(data: Float32Array, ...dims: number[]): Tensor {
  return { type: "float32", dims, data };
}

/** A part of a map, as graphs take it: first row, first column, end of rows, end of columns. */
export function box({ left, top, width, height }: Rectangle): Tensor {
  return int32(Int32Array.of(top, left, top + height, left + width), 4);
}

export function int32(data: Int32Array, ...dims: number[]): Tensor {
  return { type: "int32", dims, data };
}
