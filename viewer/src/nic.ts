/** Pictures of .nic files on any page:
 *
 *     <script type="module" src="nic.js"></script>
 *     <nic-image src="photo.nic" alt="A mountain"></nic-image>
 *
 *     import { decode } from "./nic.js";
 *     const { data, width, height } = await decode(bytes);
 *
 * worker.js, runtime/ and models/ lie beside nic.js, on the page's own origin. */

import { Decoder } from "./decoder.ts";
import { Cursor } from "./format/cursor.ts";
import { readHeader } from "./format/header.ts";
import { checkSize } from "./format/limits.ts";
import { context, drawPiece, drawPreview } from "./page/canvas.ts";
import type { Told } from "./protocol.ts";

let decoder: Decoder | undefined; // of all pictures of the page: one model, one after the other

function start(data: Uint8Array, listen: (told: Told) => void) {
  decoder ??= new Decoder(new URL(".", import.meta.url));
  return decoder.decode(data, listen);
}

/** The pixels of a .nic file, RGBA in sRGB. Rejects with an Error, whose message is a sentence, for what cannot be shown. */
export function decode(bytes: ArrayBuffer | Uint8Array): Promise<ImageData> {
  return new Promise((resolve, reject) => {
    const canvas = document.createElement("canvas");
    // first of all, for a canvas keeps the colours that it was first asked for
    const pixels = canvas.getContext("2d", { colorSpace: "srgb", willReadFrequently: true })!;
    start(new Uint8Array(bytes), (told) => {
      if (told.kind === "facts") Object.assign(canvas, sizeOf(told.facts.header));
      else if (told.kind === "piece") drawPiece(canvas, told.left, told.top, told.image);
      else if (told.kind === "done") resolve(pixels.getImageData(0, 0, canvas.width, canvas.height));
      else if (told.kind === "failed") reject(new Error(told.message));
    });
  });
}

/** `<nic-image src alt>`: as `<img>`, a picture that is fetched and decoded when it comes near the window, its preview
 * first. It tells `load` or `error`; naturalWidth and naturalHeight are 0 until its file is there. */
export class NicImage extends HTMLElement {
  static observedAttributes = ["src", "alt"];
  private readonly canvas = document.createElement("canvas");
  private readonly alternative = document.createElement("span");
  private readonly nearby = new IntersectionObserver((entries) => this.onNear(entries), { rootMargin: "300px" });
  private stop = () => {};

  constructor() {
    super();
    const style = document.createElement("style");
    style.textContent = ":host { display: inline-block } canvas { display: block; width: 100%; height: auto }";
    this.attachShadow({ mode: "open" }).append(style, this.canvas, this.alternative);
    this.canvas.width = this.canvas.height = 0;
  }

  get naturalWidth(): number {
    return this.canvas.width;
  }

  get naturalHeight(): number {
    return this.canvas.height;
  }

  connectedCallback(): void {
    this.setAttribute("role", "img");
    this.nearby.observe(this);
  }

  disconnectedCallback(): void {
    this.nearby.disconnect();
    this.stop();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (name === "alt") this.setAttribute("aria-label", now ?? "");
    else if (before !== now && this.isConnected) {
      this.stop();
      this.nearby.unobserve(this);
      this.nearby.observe(this); // which tells again whether it is near
    }
  }

  private onNear(entries: IntersectionObserverEntry[]): void {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    this.nearby.unobserve(this);
    const source = this.getAttribute("src");
    if (source) void this.show(new URL(source, document.baseURI));
  }

  private async show(source: URL): Promise<void> {
    const fetching = new AbortController();
    this.stop = () => fetching.abort();
    try {
      const response = await fetch(source, { signal: fetching.signal });
      if (!response.ok) throw new Error(`${source.href} could not be fetched: ${response.status}.`);
      const data = new Uint8Array(await response.arrayBuffer());
      if (!this.resize(data)) return;
      const job = start(data, (told) => this.draw(told));
      this.stop = () => job.stop();
    } catch (error) {
      if (!fetching.signal.aborted) this.fail((error as Error).message);
    }
  }

  /** Takes the room of the picture, which may have to wait for others, and returns whether it is one. */
  private resize(data: Uint8Array): boolean {
    try {
      const header = readHeader(new Cursor(data));
      checkSize(header);
      Object.assign(this.canvas, sizeOf(header));
    } catch (error) {
      this.fail((error as Error).message);
      return false;
    }
    context(this.canvas);
    this.alternative.textContent = "";
    return true;
  }

  private draw(told: Told): void {
    if (told.kind === "preview") drawPreview(this.canvas, told.image);
    else if (told.kind === "piece") drawPiece(this.canvas, told.left, told.top, told.image);
    else if (told.kind === "done") this.dispatchEvent(new Event("load"));
    else if (told.kind === "failed") this.fail(told.message);
  }

  private fail(message: string): void {
    this.canvas.width = this.canvas.height = 0;
    this.alternative.textContent = this.getAttribute("alt") || message;
    this.title = message;
    this.dispatchEvent(new ErrorEvent("error", { message }));
  }
}

function sizeOf({ width, height }: { width: number; height: number }): { width: number; height: number } {
  return { width, height };
}

customElements.define("nic-image", NicImage);
