/** The file as a whole: header, sections, end. Sections 3 and 3.2 of docs/format.md. */

import { Cursor } from "./cursor.ts";
import { invalid } from "./errors.ts";
import { type Header, readHeader, tileCount } from "./header.ts";
import { checkSize, largestTokenSection, MAX_FILE, MAX_METADATA, MAX_SECTIONS } from "./limits.ts";
import { type Part, tokenParts } from "./tokenSections.ts";

const END = 0;
const TOKENS = 1;
const EXACT = 4;
const FIRST_OPTIONAL = 128; // sections from here on may be skipped
const NAMES = new Map([
  [END, "end"],
  [TOKENS, "tokens"],
  [2, "alpha"],
  [EXACT, "exact"],
  [128, "icc"],
  [129, "exif"],
  [130, "xmp"],
  [131, "density"],
  [132, "features"],
]);
const METADATA = new Set([128, 129, 130]);

export type ExtraName = "alpha" | "icc" | "exif" | "xmp" | "density" | "features";

/** The place of a section in the file: `size` bytes from `offset`. */
export interface Entry {
  name: string;
  stage: number;
  tile: number;
  offset: number;
  size: number;
}

export interface Section {
  stage: number;
  tile: number;
  data: Uint8Array;
}

/** A whole file. All checksums are right and all token sections are there. tiles: the parts of each tile's tokens, in
 * the order of their calls. blocks: data of exact blocks, by their tiles. extras: data of the other sections that are
 * known. */
export interface NicFile {
  header: Header;
  tiles: Part[][];
  blocks: Map<number, Uint8Array>;
  extras: Map<ExtraName, Uint8Array>;
  entries: Entry[];
  headerSize: number;
}

/** Throws a NicError, with a sentence that says why, for anything but a whole file. Its arrays are views of `data`. */
export function readFile(data: Uint8Array): NicFile {
  if (data.length > MAX_FILE) throw invalid(`The file is over the limit of ${MAX_FILE} bytes.`);
  const cursor = new Cursor(data);
  const header = readHeader(cursor);
  const headerSize = cursor.offset;
  checkSize(header);
  const tokens: Section[] = [];
  const blocks = new Map<number, Uint8Array>();
  const extras = new Map<ExtraName, Uint8Array>();
  const entries: Entry[] = [];
  let metadata = 0;
  let lastExact = -1; // the tile of the last section of exact blocks
  for (let type = -1; type !== END; ) {
    if (entries.length === MAX_SECTIONS) throw invalid(`The file has more than ${MAX_SECTIONS} sections.`);
    const offset = cursor.offset;
    const what = `section ${entries.length}`;
    type = cursor.integer(1, what);
    const stage = cursor.integer(1, what);
    const tile = cursor.varint(`the tile of ${what}`);
    const content = cursor.take(cursor.varint(`the length of ${what}`), what);
    cursor.checksum(offset, what);

    const name = NAMES.get(type) ?? `type ${type}`;
    entries.push({ name, stage, tile, offset, size: cursor.offset - offset });
    if (type < FIRST_OPTIONAL && !NAMES.has(type))
      throw invalid(`The file needs a reader that knows sections of type ${type}; this page does not.`);
    if (type === END && (stage || tile || content.length))
      throw invalid("The file is invalid: its end section is not empty.");
    if (METADATA.has(type)) metadata += content.length;
    if (metadata > MAX_METADATA) throw invalid(`The file has more than ${MAX_METADATA} bytes of metadata.`);

    if (type === TOKENS) {
      if (tile >= tileCount(header) || content.length > largestTokenSection(header, tile))
        throw invalid(`The file is invalid: its tokens of tile ${tile} are not what they can be.`);
      tokens.push({ stage, tile, data: content });
    } else if (type === EXACT) {
      const isOfTile = header.profile === "photo" && stage === 0 && tile < tileCount(header);
      if (!isOfTile || tile <= lastExact || content.length > largestTokenSection(header, tile))
        throw invalid(`The file is invalid: its exact blocks of tile ${tile} are not where they belong.`);
      lastExact = tile;
      blocks.set(tile, content);
    } else if (type !== END && NAMES.has(type)) {
      if (stage || tile || extras.has(name as ExtraName))
        throw invalid(`The file is invalid: its ${name} section is there twice, or has a number.`);
      extras.set(name as ExtraName, content);
    }
  }
  if (cursor.left) throw invalid("The file goes on after its end section.");
  return { header, tiles: tokenParts(header, tokens), blocks, extras, entries, headerSize };
}
