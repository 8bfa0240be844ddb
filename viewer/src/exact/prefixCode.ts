/** Bits and prefix codes of a VP8L bitstream: RFC 9649, section 3.7.2. */

import { invalid } from "../format/errors.ts";

const LONGEST = 15;
const ROOT = 8; // bits of a code that are looked up at once
/** The order in which lengths of codes for lengths are sent. */
const ORDER = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** Bits, the least significant of each byte first; zeros follow the last. In a file of WebP a byte of padding makes the
 * length even, and its decoders read that, too. */
export class Bits {
  private readonly data: Uint8Array;
  private readonly end: number;
  private at = 0;

  constructor(data: Uint8Array) {
    this.data = new Uint8Array(data.length + 8);
    this.data.set(data);
    this.end = 16 * Math.ceil(data.length / 2);
  }

  /** Whether more was taken than there is. */
  get isOver(): boolean {
    return this.at > this.end;
  }

  /** The next bits, 24 at least, the first of them the lowest. */
  peek(): number {
    const byte = Math.min(this.at >>> 3, this.data.length - 4);
    const { data } = this;
    return (data[byte] | (data[byte + 1] << 8) | (data[byte + 2] << 16) | (data[byte + 3] << 24)) >>> (this.at & 7);
  }

  skip(count: number): void {
    this.at += count;
  }

  /** A number of 0 to 24 bits. */
  take(count: number): number {
    const number = this.peek() & ((1 << count) - 1);
    this.at += count;
    return number;
  }
}

/** A canonical prefix code. */
export class PrefixCode {
  private readonly only: number; // the symbol of a code that has one, and no bits; or -1
  private readonly symbols: Uint16Array; // by the lengths of their codes
  private readonly counts: Uint16Array; // of each length
  private readonly root: Uint16Array; // of the next bits: symbol << 4 | length, or 0 for codes that are longer
  private readonly rootMask: number;

  /** lengths: of each symbol's code, 0 to 15. Throws a NicError for a code that is not full. */
  constructor(lengths: Uint8Array) {
    this.counts = new Uint16Array(LONGEST + 1);
    for (const length of lengths) this.counts[length]++;
    const unused = this.counts[0];
    this.counts[0] = 0;
    const starts = new Uint16Array(LONGEST + 2);
    let longest = 0;
    let free = 1; // codes of the length that are not given away
    for (let length = 1; length <= LONGEST; length++) {
      starts[length + 1] = starts[length] + this.counts[length];
      free = 2 * free - this.counts[length];
      if (this.counts[length]) longest = length;
      if (free < 0) throw damaged();
    }
    this.symbols = new Uint16Array(lengths.length - unused);
    const next = starts.slice();
    for (let symbol = 0; symbol < lengths.length; symbol++)
      if (lengths[symbol]) this.symbols[next[lengths[symbol]]++] = symbol;
    this.only = this.symbols.length === 1 ? this.symbols[0] : -1;
    if (this.only < 0 && free !== 0) throw damaged(); // so is a code without symbols

    const width = this.only < 0 ? Math.min(longest, ROOT) : 0;
    this.root = new Uint16Array(1 << width);
    this.rootMask = (1 << width) - 1;
    for (let length = 1, code = 0; this.only < 0 && length <= width; length++, code <<= 1)
      for (let at = starts[length]; at < starts[length + 1]; at++, code++)
        for (let index = reversed(code, length); index < 1 << width; index += 1 << length)
          this.root[index] = (this.symbols[at] << 4) | length;
  }

  read(bits: Bits): number {
    if (this.only >= 0) return this.only;
    const ahead = bits.peek();
    const entry = this.root[ahead & this.rootMask];
    if (entry) {
      bits.skip(entry & 15);
      return entry >> 4;
    }
    // the codes of each length follow those of the one before
    for (let length = 1, code = 0, first = 0, at = 0; ; length++) {
      code = (code << 1) | ((ahead >>> (length - 1)) & 1);
      first <<= 1;
      if (code - first < this.counts[length]) {
        bits.skip(length);
        return this.symbols[at + code - first];
      }
      at += this.counts[length];
      first += this.counts[length];
    }
  }
}

function reversed(code: number, length: number): number {
  let found = 0;
  for (let i = 0; i < length; i++) found |= ((code >> i) & 1) << (length - 1 - i);
  return found;
}

/** symbols: how many there may be. Throws a NicError for a code that is none. */
export function readPrefixCode(bits: Bits, symbols: number): PrefixCode {
  const lengths = new Uint8Array(symbols);
  if (bits.take(1)) {
    const count = bits.take(1) + 1;
    const first = bits.take(bits.take(1) ? 8 : 1);
    // an array does not keep what is behind its end: a symbol that there is not has no code
    for (const symbol of count === 1 ? [first] : [first, bits.take(8)]) lengths[symbol] = 1;
    return new PrefixCode(lengths);
  }
  const ofLengths = new Uint8Array(ORDER.length);
  const sent = bits.take(4) + 4;
  for (const length of ORDER.slice(0, sent)) ofLengths[length] = bits.take(3);
  const code = new PrefixCode(ofLengths);
  let left = bits.take(1) ? bits.take(2 + 2 * bits.take(3)) + 2 : symbols;
  if (left > symbols) throw damaged();
  for (let at = 0, before = 8; at < symbols && left > 0; left--) {
    const symbol = code.read(bits);
    if (symbol < 16) {
      lengths[at++] = symbol;
      if (symbol) before = symbol;
      continue;
    }
    const repeat = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
    if (at + repeat > symbols) throw damaged();
    if (symbol === 16) lengths.fill(before, at, at + repeat);
    at += repeat;
  }
  return new PrefixCode(lengths);
}

function damaged(): Error {
  return invalid("The exact pixels are damaged: they have a prefix code that is none.");
}
