/** The lossless bitstream of WebP: RFC 9649, section 3.
 *
 * A browser has a decoder of it, but gives its pixels multiplied with alpha and back, and in colours of its own. */

import { invalid } from "../format/errors.ts";
import { Bits, type PrefixCode, readPrefixCode } from "./prefixCode.ts";

const SIGNATURE = 0x2f;
const OPAQUE = 0xff000000 | 0;
const LITERALS = 256;
const LENGTHS = 24;
const DISTANCES = 40;
const MOST_CACHE_BITS = 11;
const HASH = 0x1e35a7bd;

/** Distances 1 to 120 mean pixels nearby: a digit for the rows up, and 8 less the columns to the left. */
const NEAR = (
  "18 07 17 19 28 06 27 29 16 1a 26 2a 38 05 37 39 15 1b 36 3a 25 2b 48 04 47 49 14 1c 35 3b " +
  "46 4a 24 2c 58 45 4b 34 3c 03 57 59 13 1d 56 5a 23 2d 44 4c 55 5b 33 3d 68 02 67 69 12 1e " +
  "66 6a 22 2e 54 5c 43 4d 65 6b 32 3e 78 01 77 79 53 5d 11 1f 64 6c 42 4e 76 7a 21 2f 75 7b " +
  "31 3f 63 6d 52 5e 00 74 7c 41 4f 10 20 62 6e 30 73 7d 51 5f 40 72 7e 61 6f 50 71 7f 60 70"
)
  .split(" ")
  .map((digits) => [8 - parseInt(digits[1], 16), parseInt(digits[0], 16)]);

/** The pixels of a bitstream of this size: alpha in the highest byte, then red, green, blue. hasAlpha: whether there may
 * be one. Throws a NicError for data that no encoder makes. */
export function readVp8l(data: Uint8Array, width: number, height: number, hasAlpha: boolean): Int32Array {
  const bits = new Bits(data);
  if (bits.take(8) !== SIGNATURE || bits.take(14) + 1 !== width || bits.take(14) + 1 !== height)
    throw damaged("they are no VP8L of the size of their tile");
  const usesAlpha = bits.take(1) === 1;
  if (usesAlpha && !hasAlpha) throw damaged("they have an alpha that there is no place for");
  if (bits.take(3)) throw damaged("they are a VP8L of another version");

  const undo: ((pixels: Int32Array) => Int32Array)[] = [];
  const seen = new Set<number>();
  let coded = width; // of the picture that is coded, where several pixels are in one
  while (bits.take(1)) {
    const kind = bits.take(2);
    if (seen.has(kind)) throw damaged("they have a transform twice");
    seen.add(kind);
    const [step, narrower] = readTransform(kind, bits, coded, height);
    undo.push(step);
    coded = narrower;
  }
  let pixels = readImage(bits, coded, height, true);
  for (const step of undo.reverse()) pixels = step(pixels);
  if (!usesAlpha) for (let i = 0; i < pixels.length; i++) pixels[i] |= OPAQUE;
  return pixels;
}

/** What undoes a transform, and the width of the picture that is coded. */
function readTransform(
  kind: number,
  bits: Bits,
  width: number,
  height: number,
): [(pixels: Int32Array) => Int32Array, number] {
  if (kind === 2) return [addGreen, width];
  if (kind === 3) {
    const count = bits.take(8) + 1;
    const table = readImage(bits, count, 1, false);
    for (let i = 1; i < count; i++) table[i] = added(table[i], table[i - 1]);
    const packed = count <= 2 ? 3 : count <= 4 ? 2 : count <= 16 ? 1 : 0;
    return [(pixels) => lookUp(pixels, table, width, height, packed), (width + (1 << packed) - 1) >> packed];
  }
  const size = bits.take(3) + 2;
  const columns = blocksOf(width, size);
  const blocks = readImage(bits, columns, blocksOf(height, size), false);
  const change = kind === 0 ? predict : mix;
  return [(pixels) => change(pixels, { blocks, columns, size }, width), width];
}

/** What transforms do in squares of 2^size pixels a side. */
interface Squares {
  blocks: Int32Array;
  columns: number;
  size: number;
}

function blocksOf(length: number, size: number): number {
  return (length + (1 << size) - 1) >> size;
}

interface Codes {
  green: PrefixCode;
  red: PrefixCode;
  blue: PrefixCode;
  alpha: PrefixCode;
  distance: PrefixCode;
}

/** Pixels as prefix codes, copies and cached colours. isMain: codes may differ from square to square. */
function readImage(bits: Bits, width: number, height: number, isMain: boolean): Int32Array {
  const hasCache = bits.take(1) === 1;
  const cacheBits = hasCache ? bits.take(4) : 0;
  if (hasCache && (cacheBits < 1 || cacheBits > MOST_CACHE_BITS)) throw damaged("they have a cache of no size");
  const cache = new Int32Array(1 << cacheBits);
  let size = 31; // one square for all
  let columns = 1;
  let squares = new Int32Array(1);
  if (isMain && bits.take(1)) {
    size = bits.take(3) + 2;
    columns = blocksOf(width, size);
    squares = readImage(bits, columns, blocksOf(height, size), false).map((pixel) => (pixel >> 8) & 0xffff);
  }
  const codes = readCodes(bits, squares, cacheBits);

  const pixels = new Int32Array(width * height);
  const mask = (1 << size) - 1;
  let code = codes.get(squares[0])!;
  for (let at = 0, row = 0, column = 0; at < pixels.length; ) {
    if ((column & mask) === 0) code = codes.get(squares[(row >> size) * columns + (column >> size)])!;
    const symbol = code.green.read(bits);
    let count = 1;
    if (symbol < LITERALS) {
      const red = code.red.read(bits);
      const blue = code.blue.read(bits);
      pixels[at] = (code.alpha.read(bits) << 24) | (red << 16) | (symbol << 8) | blue;
    } else if (symbol < LITERALS + LENGTHS) {
      count = readNumber(symbol - LITERALS, bits);
      const distance = distanceOf(readNumber(code.distance.read(bits), bits), width);
      if (distance > at || at + count > pixels.length) throw damaged("they copy pixels that there are not");
      for (let i = at; i < at + count; i++) pixels[i] = pixels[i - distance];
    } else {
      pixels[at] = cache[symbol - LITERALS - LENGTHS];
    }
    if (bits.isOver) throw damaged("they are cut short");
    if (hasCache)
      for (let i = at; i < at + count; i++) cache[Math.imul(HASH, pixels[i]) >>> (32 - cacheBits)] = pixels[i];
    at += count;
    column += count;
    if (column >= width || count > 1) {
      row = Math.floor(at / width);
      column = at - row * width;
      // a copy may end in the middle of another square
      if (at < pixels.length) code = codes.get(squares[(row >> size) * columns + (column >> size)])!;
    }
  }
  return pixels;
}

/** The codes of each number that squares have; those of others are read, and not kept. */
function readCodes(bits: Bits, squares: Int32Array, cacheBits: number): Map<number, Codes> {
  const used = new Set(squares);
  const groups = squares.reduce((most, number) => Math.max(most, number), 0) + 1;
  const greens = LITERALS + LENGTHS + (cacheBits && 1 << cacheBits);
  const codes = new Map<number, Codes>();
  for (let group = 0; group < groups; group++) {
    const [green, red, blue, alpha] = [greens, LITERALS, LITERALS, LITERALS].map((size) => readPrefixCode(bits, size));
    const distance = readPrefixCode(bits, DISTANCES);
    if (bits.isOver) throw damaged("they are cut short");
    if (used.has(group)) codes.set(group, { green, red, blue, alpha, distance });
  }
  return codes;
}

/** A length or a distance. */
function readNumber(symbol: number, bits: Bits): number {
  if (symbol < 4) return symbol + 1;
  const extra = (symbol - 2) >> 1;
  return ((2 + (symbol & 1)) << extra) + bits.take(extra) + 1;
}

/** In pixels, in the order of rows. */
function distanceOf(number: number, width: number): number {
  if (number > NEAR.length) return number - NEAR.length;
  const [left, up] = NEAR[number - 1];
  return Math.max(1, left + up * width);
}

// Transforms

/** Channel by channel, modulo 256. */
function added(one: number, other: number): number {
  return (
    (((one & 0xff00ff00) + (other & 0xff00ff00)) & 0xff00ff00) | (((one & 0xff00ff) + (other & 0xff00ff)) & 0xff00ff)
  );
}

function addGreen(pixels: Int32Array): Int32Array {
  for (let i = 0; i < pixels.length; i++) pixels[i] = added(pixels[i], ((pixels[i] >> 8) & 0xff) * 0x10001);
  return pixels;
}

/** Colours of indices, of which 2^packed are in one pixel; those beyond the table are 0. */
function lookUp(pixels: Int32Array, table: Int32Array, width: number, height: number, packed: number): Int32Array {
  const found = new Int32Array(width * height);
  const coded = (width + (1 << packed) - 1) >> packed;
  const depth = 8 >> packed;
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const index = (pixels[row * coded + (column >> packed)] >> 8) & 0xff;
      const own = (index >> (depth * (column & ((1 << packed) - 1)))) & ((1 << depth) - 1);
      found[at] = own < table.length ? table[own] : 0;
    }
  }
  return found;
}

function mix(pixels: Int32Array, { blocks, columns, size }: Squares, width: number): Int32Array {
  for (let at = 0, row = 0; at < pixels.length; row++) {
    for (let column = 0; column < width; column++, at++) {
      const block = blocks[(row >> size) * columns + (column >> size)];
      const pixel = pixels[at];
      const green = signed(pixel >> 8);
      const red = ((pixel >> 16) + ((signed(block) * green) >> 5)) & 0xff;
      const blue = (pixel + ((signed(block >> 8) * green) >> 5) + ((signed(block >> 16) * signed(red)) >> 5)) & 0xff;
      pixels[at] = (pixel & 0xff00ff00) | (red << 16) | blue;
    }
  }
  return pixels;
}

/** The lowest byte, -128 to 127. */
function signed(number: number): number {
  return (number << 24) >> 24;
}

function predict(pixels: Int32Array, { blocks, columns, size }: Squares, width: number): Int32Array {
  for (let at = 0, row = 0; at < pixels.length; row++) {
    for (let column = 0; column < width; column++, at++) {
      let guess = OPAQUE;
      if (row > 0 && column > 0) {
        const mode = (blocks[(row >> size) * columns + (column >> size)] >> 8) & 15;
        guess = guessed(mode, pixels[at - 1], pixels[at - width], pixels[at - width - 1], pixels[at - width + 1]);
      } else if (row > 0) {
        guess = pixels[at - width];
      } else if (column > 0) {
        guess = pixels[at - 1];
      }
      pixels[at] = added(pixels[at], guess);
    }
  }
  return pixels;
}

/** corner: above on the left; right: above on the right. */
function guessed(mode: number, left: number, top: number, corner: number, right: number): number {
  switch (mode) {
    case 1:
      return left;
    case 2:
      return top;
    case 3:
      return right;
    case 4:
      return corner;
    case 5:
      return mean(mean(left, right), top);
    case 6:
      return mean(left, corner);
    case 7:
      return mean(left, top);
    case 8:
      return mean(corner, top);
    case 9:
      return mean(top, right);
    case 10:
      return mean(mean(left, corner), mean(top, right));
    case 11:
      return distant(top, corner) < distant(left, corner) ? left : top;
    case 12:
      return ofChannels((shift) => byte(left, shift) + byte(top, shift) - byte(corner, shift));
    case 13: {
      const middle = mean(left, top);
      return ofChannels((shift) => {
        const own = byte(middle, shift);
        return own + Math.trunc((own - byte(corner, shift)) / 2);
      });
    }
    default:
      return OPAQUE;
  }
}

function mean(one: number, other: number): number {
  return (((one ^ other) & 0xfefefefe) >>> 1) + (one & other);
}

/** The sum of what channels differ. */
function distant(one: number, other: number): number {
  let sum = 0;
  for (let shift = 0; shift < 32; shift += 8) sum += Math.abs(byte(one, shift) - byte(other, shift));
  return sum;
}

function byte(pixel: number, shift: number): number {
  return (pixel >> shift) & 0xff;
}

/** A pixel of its channels, which are clipped to 0 to 255. */
function ofChannels(value: (shift: number) => number): number {
  let pixel = 0;
  for (let shift = 0; shift < 32; shift += 8) pixel |= Math.min(Math.max(value(shift), 0), 255) << shift;
  return pixel;
}

function damaged(why: string): Error {
  return invalid(`The exact pixels are damaged: ${why}.`);
}
