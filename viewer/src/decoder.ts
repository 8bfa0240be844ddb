/** The page's side of the worker. */

import type { Answer, Request, Told } from "./protocol.ts";

/** A picture that is being decoded, or was. */
export interface Job {
  /** Nothing more is told of it. */
  stop(): void;
  /** The picture as PNG, with its metadata. It must be done, and no other may have begun. */
  save(): Promise<Blob>;
}

/** Decodes pictures in a worker, one after the other. folder: where the page's files lie. */
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
    const job = ++this.jobs;
    this.listeners.set(job, listen);
    this.send({ job, kind: "decode", data });
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
