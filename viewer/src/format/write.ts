/** Writing a file of the profile `photo`, in version 2: the mirror of container.ts, header.ts and tokenSections.ts. */

import { crc32c } from "./crc32c.ts";
import { type Header, SIGNATURE } from "./header.ts";
import type { Part } from "./tokenSections.ts";

const PHOTO = 1;
const RGB = 1;
const TOKENS = 1;
const ALPHA = 2;
const LAST = 128;
const LARGEST_BLOCK = 2 ** 17; // bytes of a block of zstandard
const SHORTEST_RUN = 8; // bytes of one value that are worth a block of their own

/** The bytes of a file. tiles: of each tile one part or two, of all of its calls. alpha: width x height bytes, or none. */
export function writeFile(header: Header, tiles: readonly Part[][], alpha: Uint8Array | undefined): Uint8Array {
  const pieces = [checked(headerBytes(header))];
  const sections = tiles.flatMap((parts, tile) => parts.map((part) => ({ tile, part, total: parts.at(-1)!.end })));
  sections.sort((a, b) => a.part.first - b.part.first || a.tile - b.tile);
  for (const { tile, part, total } of sections)
    pieces.push(section(TOKENS, part.first === 0 ? total : LAST + part.first, tile, part.data));
  if (alpha) pieces.push(section(ALPHA, 0, 0, alphaFrame(alpha, header.width)));
  pieces.push(section(0, 0, 0, new Uint8Array()));
  return joined(pieces);
}

function headerBytes(header: Header): Uint8Array {
  const { quality, codebookId } = header;
  return joined([
    SIGNATURE,
    Uint8Array.of(2),
    varint(header.width),
    varint(header.height),
    Uint8Array.of((RGB << 4) | (header.bitDepth - 1), (PHOTO << 4) | header.tune, quality & 255, quality >> 8),
    Uint8Array.of(header.tileSize / 64, header.firstCalls),
    Uint8Array.from(codebookId.match(/../g)!, (digits) => parseInt(digits, 16)),
  ]);
}

function section(type: number, stage: number, tile: number, data: Uint8Array): Uint8Array {
  return checked(joined([Uint8Array.of(type, stage), varint(tile), varint(data.length), data]));
}

/** The bytes, and their checksum. */
function checked(data: Uint8Array): Uint8Array {
  const crc = crc32c(data);
  return joined([data, Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24)]); // modulo 256
}

function varint(value: number): Uint8Array {
  const digits: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) digits.push((value % 128) + 128);
  return Uint8Array.of(...digits, value);
}

/** Alpha as one frame of zstandard (RFC 8878): differences to the pixel on the left, their runs as blocks of one byte, the
 * rest as it is. Masks become small by it; soft edges do not, for which a page would need the whole of the library. */
function alphaFrame(alpha: Uint8Array, width: number): Uint8Array {
  const rows = alpha.map((value, at) => (at % width ? value - alpha[at - 1] : value)); // modulo 256
  const size = rows.length;
  const magic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
  const single = Uint8Array.of(0xa0, size, size >>> 8, size >>> 16, size >>> 24); // one segment, a size of 4 bytes
  const blocks: { isRun: boolean; from: number; to: number }[] = [];
  for (let at = 0; at < size; ) {
    let end = at + 1;
    while (end < size && rows[end] === rows[at] && end - at < LARGEST_BLOCK - 1) end++;
    const last = blocks.at(-1);
    if (end - at >= SHORTEST_RUN) blocks.push({ isRun: true, from: at, to: end });
    else if (last && !last.isRun && end - last.from < LARGEST_BLOCK) last.to = end;
    else blocks.push({ isRun: false, from: at, to: end });
    at = end;
  }
  const pieces = blocks.map(({ isRun, from, to }, index) => {
    const head = ((to - from) << 3) | (+isRun << 1) | +(index === blocks.length - 1);
    return joined([Uint8Array.of(head, head >>> 8, head >>> 16), rows.subarray(from, isRun ? from + 1 : to)]);
  });
  return joined([magic, single, ...pieces]);
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
