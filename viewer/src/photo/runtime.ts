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

let begun: Promise<void> | undefined;

/** The net of a graph that is on its way, which is opened when it runs for the first time: a preview does not wait for
 * what it has no use for. Where the graph is none, or does not come, that run throws. The runtime is fetched and compiled
 * beside the first graph. */
export function openNet(graph: Promise<Uint8Array>, inputs: readonly string[]): Net {
  begun ??= begin();
  let waiting: Promise<Uint8Array> | undefined = graph;
  let opened: Promise<ort.InferenceSession> | undefined;
  return {
    inputs,
    async run(given: Tensors): Promise<Tensors> {
      opened ??= waiting!.then((bytes) => ort.InferenceSession.create(bytes, OPTIONS));
      waiting = undefined; // the session has its own copy
      const session = await opened;
      const feeds = Object.entries(given).map(([name, { type, data, dims }]) => [name, new ort.Tensor(type, data, dims)]);
      const found = await session.run(Object.fromEntries(feeds));
      return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, plain(tensor)]));
    },
  };
}

async function begin(): Promise<void> {
  try {
    await (await ort.InferenceSession.create(smallestGraph(), OPTIONS)).release();
  } catch {
    // the first net will tell
  }
}

/** An ONNX model of one node: y = Identity(x). */
function smallestGraph(): Uint8Array {
  const field = (tag: number, ...bytes: number[]) => [tag, bytes.length, ...bytes];
  const text = (tag: number, value: string) => field(tag, ...new TextEncoder().encode(value));
  const value = (name: string) => [...text(0x0a, name), ...field(0x12, ...field(0x0a, 0x08, 1))]; // float32
  const node = [...text(0x0a, "x"), ...text(0x12, "y"), ...text(0x22, "Identity")];
  const graph = [...field(0x0a, ...node), ...text(0x12, "g"), ...field(0x5a, ...value("x")), ...field(0x62, ...value("y"))];
  return Uint8Array.of(0x08, 8, ...field(0x3a, ...graph), ...field(0x42, 0x10, 17)); // IR 8, operator set 17
}

function plain({ type, data, dims }: ort.Tensor): Tensor {
  return { type, data, dims } as Tensor;
}
