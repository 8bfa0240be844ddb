/** The range decoder of section 4.1 of docs/format.md: words of 32 bits, a state of 64, probabilities of 24.
 *
 * Numbers of 64 bits are pairs of unsigned 32-bit halves in doubles, in which every product and sum here is exact: halves
 * of products stay below 2^53. That is several times as fast as BigInt. */

import { invalid } from "./errors.ts";

const WORD = 2 ** 32;
const TOTAL = 2 ** 24;
const SPLIT = 2 ** 20; // s < 2^40 is split into two numbers below it, whose products with a count stay below 2^44

/** Distributions over n symbols each: rows of n + 1 cumulative counts from 0 to 2^24, one after the other; and for each
 * row and each value of the highest 8 bits of a quantile the first symbol that it can be. */
export interface Distributions {
  symbols: number;
  cumulative: Int32Array;
  first: Uint16Array;
}

export class RangeDecoder {
  private at = 8;
  private valueHigh: number;
  private valueLow: number;
  private rangeHigh = WORD - 1;
  private rangeLow = WORD - 1;
  private high = 0; // of the last product
  private low = 0;

  constructor(private readonly data: Uint8Array) {
    this.valueHigh = this.word(0);
    this.valueLow = this.word(4);
  }

  /** Symbols from out[start] to out[end - 1], all of the distribution in this row. Throws a NicError for a stream that
   * no range coder wrote. */
  symbols(distributions: Distributions, row: number, out: Int32Array, start: number, end: number): void {
    const { cumulative, symbols } = distributions;
    const base = row * (symbols + 1);
    for (let i = start; i < end; i++) {
      const step = this.rangeHigh * 256 + Math.floor(this.rangeLow / TOTAL);
      const quantile = this.quantile(step);
      let at = base + distributions.first[row * 256 + (quantile >> 16)];
      while (cumulative[at + 1] <= quantile) at++;
      out[i] = at - base;
      this.narrow(step, cumulative[at], cumulative[at + 1] - cumulative[at]);
    }
  }

  /** A number of `width` bits, 0 to 16, section 4.2. Throws as `symbols`. */
  bits(width: number): number {
    if (width === 0) return 0;
    const step = this.rangeHigh * 256 + Math.floor(this.rangeLow / TOTAL);
    const number = this.quantile(step) >> (24 - width);
    this.narrow(step, number << (24 - width), 1 << (24 - width));
    return number;
  }

  /** V // s, 0 to 2^24 - 1. */
  private quantile(step: number): number {
    // the double is off by less than one, so that its floor is the quotient or a neighbour of it
    let quotient = Math.floor((this.valueHigh * WORD + this.valueLow) / step);
    if (quotient > TOTAL) throw damaged();
    this.multiply(step, quotient);
    const rest = (this.valueHigh - this.high) * WORD + (this.valueLow - this.low);
    if (rest < 0) quotient -= 1;
    else if (rest >= step) quotient += 1;
    if (quotient >= TOTAL) throw damaged();
    return quotient;
  }

  private narrow(step: number, below: number, count: number): void {
    this.multiply(step, below);
    let high = this.valueHigh - this.high;
    let low = this.valueLow - this.low;
    if (low < 0) {
      low += WORD;
      high -= 1;
    }
    this.multiply(step, count);
    const rangeHigh = this.high;
    const rangeLow = this.low;
    if (rangeHigh === 0) {
      this.valueHigh = low; // V < R < 2^32
      this.valueLow = this.word(this.at);
      this.at += 4;
      this.rangeHigh = rangeLow;
      this.rangeLow = 0;
    } else {
      this.valueHigh = high;
      this.valueLow = low;
      this.rangeHigh = rangeHigh;
      this.rangeLow = rangeLow;
    }
  }

  /** high and low: the halves of a * b, for a below 2^40 and b up to 2^24. No %, which is slow for doubles. */
  private multiply(a: number, b: number): void {
    const upper = Math.floor(a / SPLIT);
    const product = upper * b; // in units of 2^20
    const high = Math.floor(product / 4096);
    const low = (product - high * 4096) * SPLIT + (a - upper * SPLIT) * b;
    const carry = Math.floor(low / WORD);
    this.high = high + carry;
    this.low = low - carry * WORD;
  }

  /** Four bytes, most significant first; zeros behind the end. */
  private word(at: number): number {
    const { data } = this;
    if (at + 4 <= data.length) return data[at] * 2 ** 24 + ((data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]);
    let word = 0;
    for (let i = at; i < at + 4; i++) word = word * 256 + (i < data.length ? data[i] : 0);
    return word;
  }
}

function damaged(): Error {
  return invalid("The file is damaged: its tokens are no stream of the range coder.");
}
