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

// Without optimizations integers are computed as the graph says, and a model opens in half of the time; a picture takes
// a quarter more of it (docs/log.md).
const OPTIONS: ort.InferenceSession.SessionOptions = {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "disabled",
  logSeverityLevel: 3,
};

/** The net of a graph, which is opened when it runs for the first time: a preview does not wait for what it has no use for.
 * Where the graph is none, that run throws. */
export function openNet(graph: Uint8Array, inputs: readonly string[]): Net {
  let opened: Promise<ort.InferenceSession> | undefined;
  return {
    inputs,
    async run(given: Tensors): Promise<Tensors> {
      opened ??= ort.InferenceSession.create(graph, OPTIONS);
      const session = await opened;
      const feeds = Object.entries(given).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]);
      const found = await session.run(Object.fromEntries(feeds));
      return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, plain(tensor)]));
    },
  };
}

function plain({ type, data, dims }: ort.Tensor): Tensor {
  return { type, data, dims } as Tensor;
}
