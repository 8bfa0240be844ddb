/** The header of a file: section 2 of docs/format.md. */

import type { Cursor } from "./cursor.ts";
import { invalid } from "./errors.ts";

export const SIGNATURE = Uint8Array.of(0x8f, 0x4e, 0x49, 0x43, 0x0d, 0x0a, 0x1a, 0x0a);
export const MAX_CALLS = 63;
const QUALITY_MAX = 25600;
const RETIRED = new Set([2, 5, 6, 7]); // numbers of profiles, read as those of `raster`

export const PROFILES = { 1: "photo", 3: "semantic", 4: "raster", 9: "exact" } as const;
export type Profile = (typeof PROFILES)[keyof typeof PROFILES];

export const TUNES = ["psnr", "visual"] as const;

/** What a file says of its picture before any token.
 *
 * width, height: pixels, 1 to 2^32 - 1. hasAlpha: whether alpha is one of the channels, as only the profile exact has it;
 * in others it is a section. bitDepth: of the original's samples, 1 to 16. tune: 0 for PSNR, 1 for visual.
 * quality: 0 to 25600, units of 1/256. tileSize: pixels, 0 where the picture is one tile. firstCalls: calls in the first
 * token section of a tile, 0 in version 1. codebookId: 16 hexadecimal digits. */
export interface Header {
  version: 1 | 2;
  width: number;
  height: number;
  isGray: boolean;
  hasAlpha: boolean;
  bitDepth: number;
  profile: Profile;
  tune: number;
  quality: number;
  tileSize: number;
  stages: number;
  firstCalls: number;
  codebookId: string;
}

/** A part of the picture, in pixels from its top left corner. */
export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The header at the cursor, which is moved behind it. Throws a NicError for anything but a whole one. */
export function readHeader(cursor: Cursor): Header {
  const start = cursor.offset;
  checkSignature(cursor);
  const version = cursor.integer(1, "the version");
  if (version !== 1 && version !== 2)
    throw invalid(`The file has format version ${version}, and this page reads versions 1 and 2.`);
  const width = cursor.varint("the width");
  const height = cursor.varint("the height");
  const picture = cursor.integer(1, "the colour mode");
  const codec = cursor.integer(1, "the profile");
  const quality = cursor.integer(2, "the quality");
  const tileSize = cursor.integer(1, "the tile size") * 64;
  const stagesOrCalls = cursor.integer(1, "the number of stages");
  const codebookId = toHex(cursor.take(8, "the codebook id"));
  cursor.checksum(start, "the header");

  // only after the checksum: an unknown number in an intact header is no damage, but of a later version
  const mode = picture >> 4;
  const number = codec >> 4;
  const profile = RETIRED.has(number) ? "raster" : PROFILES[number as keyof typeof PROFILES];
  const tune = codec & 15;
  if (mode > 3) throw invalid(`The file has colour mode ${mode}, which this page does not know.`);
  if (profile === undefined) throw invalid(`The file has profile ${number}, which this page does not know.`);
  if (tune > 1) throw invalid(`The file has tune ${tune}, which this page does not know.`);
  if (mode > 1 && profile !== "exact")
    throw invalid("The file is invalid: alpha is a channel in files of the profile exact alone.");
  if (width === 0 || height === 0) throw invalid("The file is invalid: its picture has no pixels.");
  if (quality > QUALITY_MAX) throw invalid(`The file is invalid: its quality is over ${QUALITY_MAX / 256}.`);
  if (version === 2 && (profile !== "photo" || stagesOrCalls < 1 || stagesOrCalls > MAX_CALLS))
    throw invalid("The file is invalid: its header is none of version 2.");
  return {
    version,
    width,
    height,
    isGray: mode === 0 || mode === 2,
    hasAlpha: mode > 1,
    bitDepth: (picture & 15) + 1,
    profile,
    tune,
    quality,
    tileSize,
    stages: version === 1 ? stagesOrCalls : 2,
    firstCalls: version === 1 ? 0 : stagesOrCalls,
    codebookId,
  };
}

export function tileColumns(header: Header): number {
  return header.tileSize ? Math.ceil(header.width / header.tileSize) : 1;
}

export function tileCount(header: Header): number {
  return header.tileSize ? tileColumns(header) * Math.ceil(header.height / header.tileSize) : 1;
}

/** Section 2.1. tile: 0 to tileCount - 1. */
export function tileRectangle(header: Header, tile: number): Rectangle {
  const { width, height, tileSize } = header;
  if (tileSize === 0) return { left: 0, top: 0, width, height };
  const columns = tileColumns(header);
  const left = (tile % columns) * tileSize;
  const top = Math.floor(tile / columns) * tileSize;
  return { left, top, width: Math.min(tileSize, width - left), height: Math.min(tileSize, height - top) };
}

export function toHex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function checkSignature(cursor: Cursor): void {
  const found = cursor.data.subarray(cursor.offset, cursor.offset + SIGNATURE.length);
  if (found.length === 0) throw invalid("The file is empty.");
  const agrees = found.findIndex((byte, i) => byte !== SIGNATURE[i]);
  if (agrees >= 0 && agrees < 4) throw invalid("This is not a .nic file: it does not begin with the signature of one.");
  if (agrees >= 0) throw invalid("The file is damaged: its signature was changed, as by a transfer in text mode.");
  cursor.take(SIGNATURE.length, "the signature");
}
