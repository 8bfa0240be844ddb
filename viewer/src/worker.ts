/** Decodes pictures beside the page, one after the other, so that the page never waits. */

import type { NicFile } from "./format/container.ts";
import { readFile } from "./format/container.ts";
import { NicError } from "./format/errors.ts";
import { type Extras, unpackExtras } from "./format/extras.ts";
import { toHex } from "./format/header.ts";
import { checkShowable, decode } from "./photo/decode.ts";
import { type Model, openModel } from "./photo/model.ts";
import { prepareRuntime } from "./photo/runtime.ts";
import { hashedBytes } from "./photo/tokens.ts";
import { drawable, profileName } from "./picture/colours.ts";
import { encodePng, type Raster } from "./picture/png.ts";
import { emptyRaster, put } from "./picture/raster.ts";
import type { Answer, Facts, Request, Told } from "./protocol.ts";

const MOST_THREADS = 4;
const FOLDER = new URL(".", self.location.href);
const threads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
const models = new Map<string, Model>(); // by id and tune
const stopped = new Set<number>();
let last: { raster: Raster; extras: Extras } | undefined;
let queue: Promise<void> = Promise.resolve();

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
    else if (last) tell({ kind: "saved", png: await encodePng(last.raster, last.extras) });
  } catch (error) {
    const fault = error instanceof NicError ? error.kind : "page";
    const message = (error as Error).message;
    tell({ kind: "failed", fault, message: fault === "page" ? `This browser failed: ${message}.` : message });
  }
}

async function show(
  data: Uint8Array,
  tell: (told: Told, moved?: Transferable[]) => void,
  isStopped: () => boolean,
): Promise<void> {
  const started = performance.now();
  last = undefined;
  const file = readFile(data);
  const extras = await unpackExtras(file);
  tell({ kind: "facts", facts: factsOf(file, data.length, extras) });
  checkShowable(file);
  const model = await modelOf(file, (share) => tell({ kind: "model", share }));

  const raster = emptyRaster(file.header, extras.alpha);
  let tokens = "";
  for await (const progress of decode(file, model)) {
    if (isStopped()) return;
    if (progress.kind === "tokens") {
      const hashed = hashedBytes(progress.tokens, model.prior.zero);
      // there is none where the page came over a network without encryption
      tokens = crypto.subtle ? toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", hashed))) : "";
    } else if (progress.kind === "preview") {
      const { width, height, pixels } = progress;
      const whole = { left: 0, top: 0, width, height };
      const small = put(emptyRaster({ ...file.header, width, height }, undefined), whole, pixels);
      const image = await drawable(small, extras.icc);
      tell({ kind: "preview", image }, [image instanceof ImageData ? image.data.buffer : image]);
    } else {
      const { left, top } = progress.part;
      const image = await drawable(put(raster, progress.part, progress.pixels), extras.icc);
      tell({ kind: "piece", left, top, image }, [image instanceof ImageData ? image.data.buffer : image]);
    }
  }
  last = { raster, extras };
  tell({ kind: "done", tokens, model: model.name, seconds: (performance.now() - started) / 1000, threads });
}

function factsOf({ header, headerSize, entries }: NicFile, size: number, extras: Extras): Facts {
  return {
    header,
    size,
    headerSize,
    entries,
    hasAlpha: extras.alpha !== undefined,
    ...(extras.icc && { profile: profileName(extras.icc) || "without a name" }),
    ...(extras.density && { density: extras.density }),
  };
}

async function modelOf({ header }: NicFile, advance: (share: number) => void): Promise<Model> {
  const key = `${header.codebookId} ${header.tune}`;
  const known = models.get(key);
  if (known) return known;
  const folder = new URL(`models/${header.codebookId}.nicm/`, FOLDER);
  const model = await openModel(
    header.codebookId,
    header.tune,
    async (name) => {
      const response = await fetch(new URL(name, folder));
      if (!response.ok) throw new Error(`${name} is missing`);
      return new Uint8Array(await response.arrayBuffer());
    },
    advance,
  );
  models.set(key, model);
  return model;
}
