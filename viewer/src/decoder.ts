/** The page's side of the worker. */

import type { Answer, Request, Told } from "./protocol.ts";

/** A picture that is being decoded, or was. */
export interface Job {
  /** Nothing more is told of it. */
  stop(): void;
  /** The picture as PNG, with its metadata. It must be done, and no other may have begun. */
  save(): Promise<Blob>;
}

/** Decodes and encodes pictures in a worker, one after the other. folder: where the page's files lie. */
export class Decoder {
  private readonly worker: Worker;
  private readonly listeners = new Map<number, (told: Told) => void>();
  private jobs = 0;

  constructor(folder: URL) {
    this.worker = new Worker(new URL("worker.js", folder), { type: "module" });
    this.worker.onmessage = ({ data: { job, ...told } }: MessageEvent<Answer>) => this.listeners.get(job)?.(told as Told);
    this.worker.onerror = (event) => {
      for (const listen of this.listeners.values())
        listen({ kind: "failed", fault: "page", message: `This browser failed: ${event.message || "no worker"}.` });
    };
  }

  /** Decodes the bytes of a .nic file; `listen` is called with all that is told of it. */
  decode(data: Uint8Array, listen: (told: Told) => void): Job {
    return this.start({ job: ++this.jobs, kind: "decode", data }, listen);
  }

  /** Makes a .nic file of RGBA pixels, and decodes it. quality: 0 to 100. */
  encode(pixels: ImageData, quality: number, listen: (told: Told) => void): Job {
    return this.start({ job: ++this.jobs, kind: "encode", pixels, quality }, listen);
  }

  private start(request: Request, listen: (told: Told) => void): Job {
    const { job } = request;
    this.listeners.set(job, listen);
    this.send(request);
    return {
      stop: () => {
        this.listeners.delete(job);
        this.send({ job, kind: "stop" });
      },
      save: () => this.save(),
    };
  }

  private save(): Promise<Blob> {
    const job = ++this.jobs;
    return new Promise((resolve, reject) => {
      this.listeners.set(job, (told) => {
        this.listeners.delete(job);
        if (told.kind === "saved") resolve(told.png);
        else if (told.kind === "failed") reject(new Error(told.message));
      });
      this.send({ job, kind: "save" });
    });
  }

  private send(request: Request): void {
    this.worker.postMessage(request);
  }
}
