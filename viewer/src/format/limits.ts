/** What a reader takes at most: section 3.2 of docs/format.md. Everything here is checked before memory of that size is
 * taken. */

import { invalid } from "./errors.ts";
import { type Header, tileCount, tileRectangle } from "./header.ts";

// A quarter of the command line's limit: a page has the picture as RGBA in memory, and its tokens.
export const MAX_PIXELS = 2 ** 26;
export const MAX_SECTIONS = 2 ** 16;
export const MAX_METADATA = 2 ** 24; // bytes of ICC, EXIF and XMP together, and of each when it is unpacked
const MAX_TILE = 2 ** 22; // pixels, rounded up to windows of the prior, or to blocks
const TOKEN_BYTES = 16; // per pixel

/** Bytes of a file. */
export const MAX_FILE = 4 * MAX_PIXELS + 2 ** 26;

/** Throws a NicError for a picture, or a number of sections, that is over a limit. */
export function checkSize(header: Header): void {
  const { width, height } = header;
  if (width * height > MAX_PIXELS)
    throw invalid(`The picture of ${width} × ${height} pixels is over this page's limit of ${MAX_PIXELS} pixels.`);
  if (roundedArea(width, height, 64) > 2 * MAX_PIXELS + 2 ** 22)
    throw invalid(`The picture of ${width} × ${height} pixels is too narrow for its length.`);
  if (header.stages * tileCount(header) > MAX_SECTIONS)
    throw invalid(`The picture of ${tileCount(header)} tiles is over the limit of ${MAX_SECTIONS} sections.`);
}

/** Throws a NicError for tiles that are too large for the prior. */
export function checkTile(header: Header): void {
  const { width, height } = tileRectangle(header, 0);
  if (roundedArea(width, height, 256) > MAX_TILE)
    throw invalid(`The picture has tiles of ${width} × ${height} pixels, which is over the limit.`);
}

/** Throws a NicError for tiles that are too large to be read exactly at once. */
export function checkExactTile(header: Header): void {
  const { width, height } = tileRectangle(header, 0);
  if (roundedArea(width, height, 64) > MAX_TILE)
    throw invalid(`The picture has tiles of ${width} × ${height} pixels, which is over the limit.`);
}

/** The most bytes of a token section of a tile. */
export function largestTokenSection(header: Header, tile: number): number {
  const { width, height } = tileRectangle(header, tile);
  return TOKEN_BYTES * roundedArea(width, height, 64);
}

/** Pixels of a rectangle with both sides rounded up to multiples of `unit`. */
function roundedArea(width: number, height: number, unit: number): number {
  return Math.ceil(width / unit) * Math.ceil(height / unit) * unit ** 2;
}
