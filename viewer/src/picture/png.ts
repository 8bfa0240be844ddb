/** PNG files (W3C, PNG third edition): what "save" writes, and the way to the browser's own colour management. */

import type { Extras } from "../format/extras.ts";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const COLOUR_TYPES = [0, 4, 2, 6]; // gray, gray with alpha, RGB, RGBA
const FULL_BLOCK = 65535; // bytes of a block of deflate that is not compressed
const PAETH = 4;

/** Pixels of 1 to 4 channels: gray, gray and alpha, RGB, RGBA. depth: bits of each; of 16 the more significant byte comes
 * first. */
export interface Raster {
  width: number;
  height: number;
  channels: number;
  depth: 8 | 16;
  data: Uint8Array;
}

/** A PNG of the pixels, with what metadata there are. */
export async function encodePng(raster: Raster, extras: Extras): Promise<Blob> {
  const rows = new Blob([filtered(raster)]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(rows).arrayBuffer());
  const chunks = [header(raster)];
  if (extras.icc) chunks.push(await profile(extras.icc));
  if (extras.density) chunks.push(chunk("pHYs", integer(extras.density[0]), integer(extras.density[1]), Uint8Array.of(1)));
  if (extras.exif) chunks.push(chunk("eXIf", extras.exif));
  if (extras.xmp) chunks.push(chunk("iTXt", text("XML:com.adobe.xmp\0\0\0\0\0"), extras.xmp));
  return new Blob([SIGNATURE, ...chunks, chunk("IDAT", data), chunk("IEND")], { type: "image/png" });
}

/** The same at once, of 8 bits: nothing is compressed, and of the metadata it has the ICC profile alone. */
export async function quickPng(raster: Raster, icc: Uint8Array): Promise<Blob> {
  const { width, height, channels, data } = raster;
  const line = width * channels;
  const rows = new Uint8Array(height * (line + 1));
  for (let row = 0; row < height; row++) rows.set(data.subarray(row * line, (row + 1) * line), row * (line + 1) + 1);
  const parts = [SIGNATURE, header(raster), await profile(icc), chunk("IDAT", ...stored(rows)), chunk("IEND")];
  return new Blob(parts, { type: "image/png" });
}

type Bytes = Uint8Array<ArrayBuffer>;

function header({ width, height, channels, depth }: Raster): Bytes {
  return chunk("IHDR", integer(width), integer(height), Uint8Array.of(depth, COLOUR_TYPES[channels - 1], 0, 0, 0));
}

async function profile(icc: Uint8Array): Promise<Bytes> {
  const stream = new Blob([icc as Bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return chunk("iCCP", text("ICC profile\0\0"), new Uint8Array(await new Response(stream).arrayBuffer()));
}

/** Rows with the Paeth filter, each behind the number of it. */
function filtered({ width, height, channels, depth, data }: Raster): Bytes {
  const pixel = (channels * depth) / 8; // bytes
  const line = width * pixel;
  const rows = new Uint8Array(height * (line + 1));
  for (let row = 0, to = 0; row < height; row++) {
    rows[to++] = PAETH;
    for (let i = 0, at = row * line; i < line; i++, at++) {
      const left = i < pixel ? 0 : data[at - pixel];
      const above = row === 0 ? 0 : data[at - line];
      const corner = i < pixel || row === 0 ? 0 : data[at - line - pixel];
      rows[to++] = data[at] - paeth(left, above, corner); // modulo 256
    }
  }
  return rows;
}

function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** A zlib stream of blocks that are not compressed. */
function stored(data: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  let low = 1;
  let high = 0; // Adler-32
  for (let at = 0; at < data.length; at += FULL_BLOCK) {
    const block = data.subarray(at, at + FULL_BLOCK);
    const size = block.length;
    const isLast = at + FULL_BLOCK >= data.length;
    parts.push(Uint8Array.of(+isLast, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255), block);
    for (const byte of block) {
      low += byte;
      high += low;
      if (high > 2 ** 52) high %= 65521;
    }
    low %= 65521;
    high %= 65521;
  }
  return [...parts, integer(high * 65536 + low)];
}

function chunk(type: string, ...parts: Uint8Array[]): Bytes {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const made = new Uint8Array(size + 12);
  made.set(integer(size));
  made.set(text(type), 4);
  let at = 8;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  made.set(integer(crc32(made.subarray(4, at))), at);
  return made;
}

function integer(value: number): Bytes {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

function text(words: string): Bytes {
  return Uint8Array.from(words, (letter) => letter.charCodeAt(0));
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  return crc;
});

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ data[i]) & 0xff];
  return (crc ^ 0xffffffff) >>> 0;
}
