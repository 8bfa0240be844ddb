/** The range encoder of section 4.1 of docs/format.md: the mirror of `RangeDecoder`, with the same arithmetic in doubles. */

import type { Distributions } from "./rangeDecoder.ts";

const WORD = 2 ** 32;
const TOTAL = 2 ** 24;
const SPLIT = 2 ** 20;

export class RangeEncoder {
  private readonly words: number[] = []; // digits of L that were shifted out; a carry may still change them
  private lowHigh = 0; // the last 64 bits of L
  private lowLow = 0;
  private rangeHigh = WORD - 1;
  private rangeLow = WORD - 1;
  private high = 0; // of the last product
  private low = 0;

  /** Writes a symbol of the distribution in this row. */
  symbol({ cumulative, symbols }: Distributions, row: number, symbol: number): void {
    const at = row * (symbols + 1) + symbol;
    this.narrow(cumulative[at], cumulative[at + 1] - cumulative[at]);
  }

  /** Writes a number of `width` bits, 0 to 16, section 4.2. */
  bits(width: number, number: number): void {
    if (width > 0) this.narrow(number << (24 - width), 1 << (24 - width));
  }

  /** The fewest bytes from which a decoder reads everything that was written. */
  finish(): Uint8Array {
    const low = (BigInt(this.lowHigh) << 32n) | BigInt(this.lowLow);
    const range = (BigInt(this.rangeHigh) << 32n) | BigInt(this.rangeLow);
    let number = low;
    // no more than 8 zeros are looked for: at most one multiple of 256^8 fits the interval
    for (let zeros = 8n; zeros >= 0n; zeros--) {
      const unit = 1n << (8n * zeros);
      number = ((low + unit - 1n) / unit) * unit;
      if (number < low + range) break;
    }
    if (number >> 64n) this.carry();
    const words = [...this.words, Number((number >> 32n) & 0xffffffffn), Number(number & 0xffffffffn)];
    const bytes = Uint8Array.from(words.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word])); // modulo 256
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return bytes.subarray(0, end);
  }

  private narrow(below: number, count: number): void {
    const step = this.rangeHigh * 256 + Math.floor(this.rangeLow / TOTAL);
    this.multiply(step, below);
    this.lowLow += this.low;
    this.lowHigh += this.high;
    if (this.lowLow >= WORD) {
      this.lowLow -= WORD;
      this.lowHigh += 1;
    }
    if (this.lowHigh >= WORD) {
      this.lowHigh -= WORD;
      this.carry();
    }
    this.multiply(step, count);
    this.rangeHigh = this.high;
    this.rangeLow = this.low;
    if (this.rangeHigh === 0) {
      this.words.push(this.lowHigh);
      this.lowHigh = this.lowLow;
      this.lowLow = 0;
      this.rangeHigh = this.rangeLow;
      this.rangeLow = 0;
    }
  }

  private carry(): void {
    let at = this.words.length - 1;
    while (this.words[at] === WORD - 1) this.words[at--] = 0;
    this.words[at] += 1;
  }

  /** As `RangeDecoder.multiply`. */
  private multiply(a: number, b: number): void {
    const upper = Math.floor(a / SPLIT);
    const product = upper * b;
    const high = Math.floor(product / 4096);
    const low = (product - high * 4096) * SPLIT + (a - upper * SPLIT) * b;
    const carry = Math.floor(low / WORD);
    this.high = high + carry;
    this.low = low - carry * WORD;
  }
}
