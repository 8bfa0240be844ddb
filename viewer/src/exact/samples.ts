/** A picture of the profile `exact`, from its container to its samples: section 9 of docs/format.md. */

import type { NicFile } from "../format/container.ts";
import { invalid } from "../format/errors.ts";
import { type Header, type Rectangle, tileRectangle } from "../format/header.ts";
import { checkExactTile } from "../format/limits.ts";
import type { Raster } from "../picture/png.ts";
import { readTile } from "./tile.ts";

const HEAD = 12; // bytes of the shape, before the samples

/** The samples of a picture, one channel after the other, row by row. depth: bits of a sample. most: the largest of them.
 * hashed: what the SHA-256 of tokens is taken over, in which `data` lies. */
export interface Samples {
  width: number;
  height: number;
  channels: number;
  depth: number;
  most: number;
  data: Uint8Array | Uint16Array;
  hashed: Uint8Array<ArrayBuffer>;
}

/** Throws a NicError for a file that has not what the profile `exact` is made of. */
export function checkExact({ header, extras }: NicFile): void {
  if (header.stages !== 1) throw invalid("The file is invalid: pictures of the profile exact have one stage.");
  if (extras.has("alpha")) throw invalid("The file is invalid: alpha is a channel in files of the profile exact.");
  checkExactTile(header);
}

/** All 0 as yet. */
export function emptySamples({ width, height, isGray, hasAlpha, bitDepth }: Header): Samples {
  const channels = (isGray ? 1 : 3) + (hasAlpha ? 1 : 0);
  const count = channels * width * height;
  const depth = Math.max(8, bitDepth);
  const hashed = new Uint8Array(HEAD + count * (depth > 8 ? 2 : 1));
  const view = new DataView(hashed.buffer);
  for (const [at, size] of [channels, height, width].entries()) view.setUint32(4 * at, size, true);
  const data = depth > 8 ? new Uint16Array(hashed.buffer, HEAD) : hashed.subarray(HEAD);
  return { width, height, channels, depth, most: 2 ** depth - 1, data, hashed };
}

/** Reads one tile after the other into the samples, and tells its place. Throws a NicError for data that no encoder
 * makes. */
export function* readSamples({ header, tiles }: NicFile, samples: Samples): Generator<Rectangle> {
  const { width, height, channels, depth, data } = samples;
  for (const [tile, [part]] of tiles.entries()) {
    const place = tileRectangle(header, tile);
    const found = readTile(part.data, channels, place.width, place.height, depth);
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0, from = 0; row < place.height; row++) {
        const to = (channel * height + place.top + row) * width + place.left;
        for (let i = to; i < to + place.width; i++) data[i] = found[channel][from++];
      }
    }
    yield place;
  }
}

/** A part of the picture with 8 bits, rounded where there are more. */
export function shownPart({ width, height, channels, most, data }: Samples, part: Rectangle): Raster {
  const shown = new Uint8Array(part.width * part.height * channels);
  const half = Math.floor(most / 2);
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < part.height; row++) {
      const from = (channel * height + part.top + row) * width + part.left;
      let to = row * part.width * channels + channel;
      for (let i = from; i < from + part.width; i++, to += channels)
        shown[to] = most === 255 ? data[i] : Math.floor((data[i] * 255 + half) / most);
    }
  }
  return { width: part.width, height: part.height, channels, depth: 8, data: shown };
}

/** The whole picture, with 8 bits or 16: those of 9 to 15 are scaled. */
export function wholeRaster(samples: Samples): Raster {
  const { width, height, channels, most, data } = samples;
  if (most === 255) return shownPart(samples, { left: 0, top: 0, width, height });
  const half = Math.floor(most / 2);
  const size = width * height;
  const bytes = new Uint8Array(2 * channels * size);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0, to = 2 * channel; i < size; i++, to += 2 * channels) {
      const sample = Math.floor((data[channel * size + i] * 65535 + half) / most);
      bytes[to] = sample >> 8;
      bytes[to + 1] = sample; // modulo 256
    }
  }
  return { width, height, channels, depth: 16, data: bytes };
}
