/** ONNX Runtime, compiled to WebAssembly: it computes the graphs of a model. */

import * as ort from "onnxruntime-web/wasm";
import type { Net, Tensor, Tensors } from "./net.ts";

/** Where the runtime's files lie, and how many threads it may use. More than one need a page that is isolated, by the
 * headers COOP and COEP. To be called before the first net is opened. */
export function prepareRuntime(folder: string, threads: number): void {
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
}

/** The net of a graph. Throws what the runtime throws for a graph that is none. */
export async function openNet(graph: Uint8Array): Promise<Net> {
  const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return {
    inputs: session.inputNames,
    async run(inputs: Tensors): Promise<Tensors> {
      const given = Object.entries(inputs).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]);
      const found = await session.run(Object.fromEntries(given));
      return Object.fromEntries(Object.entries(found).map(([name, { type, data, dims }]) => [name, { type, data, dims } as Tensor]));
    },
  };
}
