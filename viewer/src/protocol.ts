/** What the page and its worker say to each other. */

import type { Entry } from "./format/container.ts";
import type { Header } from "./format/header.ts";
import type { Drawable } from "./picture/colours.ts";

/** What a file says of itself. size, headerSize: bytes. profile: name of its ICC profile. notes: what it has besides, in
 * words. */
export interface Facts {
  header: Header;
  size: number;
  headerSize: number;
  entries: Entry[];
  hasAlpha: boolean;
  profile?: string;
  density?: [number, number];
}

export type Request =
  | { job: number; kind: "decode"; data: Uint8Array }
  | { job: number; kind: "encode"; pixels: ImageData; quality: number }
  | { job: number; kind: "save" } // the picture of the last job, as PNG
  | { job: number; kind: "stop" };

/** A job tells facts, then a preview of few pixels, pieces as they are ready, and last that it is done, with the SHA-256
 * of the tokens; or at any time that it failed, and then preview and pieces are not to be shown any longer. From the facts
 * on, whatever else it tells, a model that is new tells how much of it is there, 0 to 1. Exact files have no model and no
 * preview. One that encodes tells first how much of that is done, 0 to 1, and the file; then it is decoded as any other. */
export type Told =
  | { kind: "encoding"; share: number }
  | { kind: "written"; file: Uint8Array }
  | { kind: "facts"; facts: Facts }
  | { kind: "model"; share: number }
  | { kind: "preview"; image: Drawable }
  | { kind: "piece"; left: number; top: number; image: Drawable }
  | { kind: "done"; tokens: string; model?: string; seconds: number; threads: number }
  | { kind: "saved"; png: Blob }
  | { kind: "failed"; fault: "file" | "model" | "browser" | "page"; message: string };

export type Answer = Told & { job: number };
