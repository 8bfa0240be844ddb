/** What a net is to the rest of the page. */

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

export function int32(data: Int32Array, ...dims: number[]): Tensor {
  return { type: "int32", dims, data };
}
