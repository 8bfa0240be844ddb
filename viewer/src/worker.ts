/** Decodes and encodes pictures beside the page, one after the other, so that the page never waits. */

import { emptySamples, readSamples, shownPart, wholeRaster } from "./exact/samples.ts";
import type { NicFile } from "./format/container.ts";
import { readFile } from "./format/container.ts";
import { NicError } from "./format/errors.ts";
import { type Extras, unpackExtras } from "./format/extras.ts";
import { type Rectangle, toHex } from "./format/header.ts";
import { decode } from "./photo/decode.ts";
import { encode } from "./photo/encode.ts";
import { prove } from "./photo/knownAnswer.ts";
import { type Fetcher, type Model, openAnalyser, openModel } from "./photo/model.ts";
import { prepareRuntime } from "./photo/runtime.ts";
import { hashedBytes } from "./photo/tokens.ts";
import { drawable, profileName } from "./picture/colours.ts";
import { encodePng, type Raster } from "./picture/png.ts";
import { emptyRaster, put } from "./picture/raster.ts";
import type { Answer, Facts, Request, Told } from "./protocol.ts";
import { checkShowable } from "./showable.ts";

const MOST_THREADS = 4;
const FOLDER = new URL(".", self.location.href);
const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
const models = new Map<string, Model>(); // by id and tune
const analysers: Record<string, ReturnType<typeof openAnalyser>> = {};
const proofs = new Map<string, Promise<void>>(); // of each model, that this browser computes it as it must
const stopped = new Set<number>();
let last: { raster: () => Raster; extras: Extras } | undefined;
let queue: Promise<void> = Promise.resolve();

type Tell = (told: Told, moved?: Transferable[]) => void;

prepareRuntime(new URL("runtime/", FOLDER).href, threads);

self.onmessage = ({ data: request }: MessageEvent<Request>) => {
  if (request.kind === "stop") stopped.add(request.job);
  else queue = queue.then(() => serve(request));
};

async function serve(request: Request): Promise<void> {
  const tell = (told: Told, moved: Transferable[] = []) =>
    self.postMessage({ ...told, job: request.job } satisfies Answer, { transfer: moved });
  const isStopped = () => stopped.has(request.job);
  try {
    if (isStopped()) return;
    if (request.kind === "decode") await show(request.data, tell, isStopped);
    else if (request.kind === "encode") await write(request.pixels, request.quality, tell, isStopped);
    else if (last) tell({ kind: "saved", png: await encodePng(last.raster(), last.extras) });
  } catch (error) {
    if (isStopped()) return;
    const fault = error instanceof NicError ? error.kind : "page";
    const message = (error as Error).message;
    tell({ kind: "failed", fault, message: fault === "page" ? `This browser failed: ${message}.` : message });
  }
}

/** Makes a file of pixels, with the model that the page has for it, and shows it. */
async function write(pixels: ImageData, quality: number, tell: Tell, isStopped: () => boolean): Promise<void> {
  const id = await writersModel();
  const { analyser, tune } = await analyserOf(id);
  const model = await modelOf(id, tune, () => {});
  await proven(model);
  const file = await encode(pixels, quality, model, analyser, (share) => {
    if (isStopped()) throw new Error("stopped");
    tell({ kind: "encoding", share });
  });
  tell({ kind: "written", file });
  await show(file, tell, isStopped);
}

async function show(data: Uint8Array, tell: Tell, isStopped: () => boolean): Promise<void> {
  last = undefined;
  const file = readFile(data);
  const extras = await unpackExtras(file);
  tell({ kind: "facts", facts: factsOf(file, data.length, extras) });
  checkShowable(file);
  if (file.header.profile === "exact") await showExact(file, extras, tell, isStopped);
  else await showPhoto(file, extras, tell, isStopped);
}

async function showExact(file: NicFile, extras: Extras, tell: Tell, isStopped: () => boolean): Promise<void> {
  const started = performance.now();
  const samples = emptySamples(file.header);
  for (const part of readSamples(file, samples)) {
    await tellPiece(part, shownPart(samples, part), extras, tell);
    await new Promise((resolve) => setTimeout(resolve)); // in which it may be stopped
    if (isStopped()) return;
  }
  last = { raster: () => wholeRaster(samples), extras };
  tell({ kind: "done", tokens: await sha256(samples.hashed), seconds: (performance.now() - started) / 1000, threads: 1 });
}

async function showPhoto(file: NicFile, extras: Extras, tell: Tell, isStopped: () => boolean): Promise<void> {
  const started = performance.now();
  const model = await modelOf(file.header.codebookId, file.header.tune, (share) => tell({ kind: "model", share }));

  const raster = emptyRaster(file.header, extras.alpha);
  let tokens = "";
  try {
    for await (const progress of decode(file, model)) {
      if (isStopped()) return;
      if (progress.kind === "tokens") {
        tokens = await sha256(hashedBytes(progress.tokens, model.prior.zero));
      } else if (progress.kind === "preview") {
        const { width, height, pixels } = progress;
        const whole = { left: 0, top: 0, width, height };
        const small = put(emptyRaster({ ...file.header, width, height }, undefined), whole, pixels);
        const image = await drawable(small, extras.icc);
        tell({ kind: "preview", image }, [image instanceof ImageData ? image.data.buffer : image]);
      } else {
        await tellPiece(progress.part, put(raster, progress.part, progress.pixels), extras, tell);
        await proven(model); // behind the first piece, which is all of a small picture, so that it is seen sooner
      }
    }
  } catch (error) {
    // a file may look damaged because the browser computes wrongly: then that is told
    if (error instanceof NicError && error.kind === "file" && !isStopped()) {
      await proven(model).catch((wrong) => {
        if (wrong instanceof NicError && wrong.kind === "browser") throw wrong;
      });
    }
    throw error;
  }
  last = { raster: () => raster, extras };
  tell({ kind: "done", tokens, model: model.name, seconds: (performance.now() - started) / 1000, threads });
}

async function tellPiece({ left, top }: Rectangle, piece: Raster, extras: Extras, tell: Tell): Promise<void> {
  const image = await drawable(piece, extras.icc);
  tell({ kind: "piece", left, top, image }, [image instanceof ImageData ? image.data.buffer : image]);
}

/** In hexadecimal; empty where the page came over a network without encryption, for there is none then. */
async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return crypto.subtle ? toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data))) : "";
}

function factsOf({ header, headerSize, entries }: NicFile, size: number, extras: Extras): Facts {
  return {
    header,
    size,
    headerSize,
    entries,
    hasAlpha: header.hasAlpha || extras.alpha !== undefined,
    ...(extras.icc && { profile: profileName(extras.icc) || "without a name" }),
    ...(extras.density && { density: extras.density }),
  };
}

async function modelOf(id: string, tune: number, advance: (share: number) => void): Promise<Model> {
  const key = `${id} ${tune}`;
  const known = models.get(key);
  if (known) return known;
  const model = await openModel(id, tune, fetcher(id), advance);
  models.set(key, model);
  model.whole.catch(() => models.delete(key)); // so that it is fetched again
  return model;
}

function analyserOf(id: string): ReturnType<typeof openAnalyser> {
  if (!analysers[id]) {
    analysers[id] = openAnalyser(id, fetcher(id));
    analysers[id].catch(() => delete analysers[id]); // so that it is fetched again
  }
  return analysers[id];
}

/** Throws a NicError for a model that this browser computes wrongly. */
function proven({ id, name, prior, known, whole }: Model): Promise<void> {
  if (!proofs.has(id)) {
    proofs.set(id, prove(name, prior, known));
    whole.catch(() => proofs.delete(id)); // it proves nothing
  }
  return proofs.get(id)!;
}

function fetcher(id: string): Fetcher {
  return async (name) => {
    const response = await fetch(new URL(`models/${id}.nicm/${name}`, FOLDER));
    if (!response.ok) throw new Error(`${name} is missing`);
    return new Uint8Array(await response.arrayBuffer());
  };
}

/** The id of the model with which files are written. */
async function writersModel(): Promise<string> {
  try {
    return (await (await fetch(new URL("models/default.json", FOLDER))).json()).id;
  } catch {
    throw new NicError("model", "No model to compress with lies beside this page.");
  }
}
