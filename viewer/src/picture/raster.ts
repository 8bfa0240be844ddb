/** The pixels of a picture, as its header and its alpha say: gray or RGB, with alpha or without. */

import type { Header, Rectangle } from "../format/header.ts";
import type { Raster } from "./png.ts";

/** A raster of the whole picture, its colours 0 as yet. */
export function emptyRaster({ width, height, isGray }: Header, alpha: Uint8Array | undefined): Raster {
  const channels = (isGray ? 1 : 3) + (alpha ? 1 : 0);
  const data = new Uint8Array(width * height * channels);
  if (alpha) for (let i = 0; i < alpha.length; i++) data[(i + 1) * channels - 1] = alpha[i];
  return { width, height, channels, depth: 8, data };
}

/** Puts RGB pixels of a part of the picture into its raster, and returns that part of the raster. */
export function put(raster: Raster, part: Rectangle, pixels: Uint8Array): Raster {
  const { channels } = raster;
  const piece = new Uint8Array(part.width * part.height * channels);
  for (let row = 0; row < part.height; row++) {
    const line = ((part.top + row) * raster.width + part.left) * channels;
    let to = line;
    for (let from = 3 * row * part.width; from < 3 * (row + 1) * part.width; from += 3, to += channels) {
      if (channels < 3) {
        raster.data[to] = Math.round(0.299 * pixels[from] + 0.587 * pixels[from + 1] + 0.114 * pixels[from + 2]);
      } else {
        raster.data[to] = pixels[from];
        raster.data[to + 1] = pixels[from + 1];
        raster.data[to + 2] = pixels[from + 2];
      }
    }
    piece.set(raster.data.subarray(line, to), row * part.width * channels);
  }
  return { width: part.width, height: part.height, channels, depth: 8, data: piece };
}
