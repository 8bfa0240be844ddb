/** Values under frequency tables: sections 4.3 and 4.4 of docs/format.md. */

import { invalid } from "./errors.ts";
import type { Distributions, RangeDecoder } from "./rangeDecoder.ts";
import type { RangeEncoder } from "./rangeEncoder.ts";

const TOTAL = 2 ** 24;
const INT32 = 2 ** 31;

/** half: the largest magnitude of a high part that needs no escape. shift: of each table, 0 to 16. */
export interface FrequencyTables extends Distributions {
  half: number;
  shift: Uint8Array;
}

/** weights: of one table after the other, `symbols` each. Throws a RangeError for weights that are none of a model. */
export function frequencyTables(weights: Int32Array, shift: Uint8Array): FrequencyTables {
  const tables = shift.length;
  const symbols = weights.length / tables;
  if (symbols % 2 || symbols < 2 || symbols > 65536 || shift.some((bits) => bits > 16))
    throw new RangeError("the frequency tables are none");
  const cumulative = new Int32Array(tables * (symbols + 1));
  const first = new Uint16Array(tables * 256);
  for (let table = 0; table < tables; table++) {
    const row = cumulative.subarray(table * (symbols + 1), (table + 1) * (symbols + 1));
    for (let symbol = 0; symbol < symbols; symbol++) {
      const weight = weights[table * symbols + symbol];
      if (weight < 0) throw new RangeError("a weight is negative");
      row[symbol + 1] = Math.min(row[symbol] + weight + 1, INT32 - 1);
    }
    if (row[symbols] !== TOTAL) throw new RangeError("the weights of a table have another sum than they must");
    for (let high = 0, symbol = 0; high < 256; high++) {
      while (row[symbol + 1] <= high << 16) symbol++;
      first[table * 256 + high] = symbol;
    }
  }
  return { symbols, cumulative, first, half: symbols / 2 - 1, shift };
}

/** The values of one call, in its order. table: of each value, 0 to the number of tables - 1. Throws a NicError for what
 * no encoder writes. */
export function readCall(coder: RangeDecoder, tables: FrequencyTables, table: Uint16Array): Int32Array {
  const { half, shift, symbols } = tables;
  const { order, starts } = sortedByTable(table, shift.length);
  const high = new Int32Array(table.length); // in the order of sending, like all that follows
  for (let t = 0; t < shift.length; t++)
    if (starts[t] < starts[t + 1]) coder.symbols(tables, t, high, starts[t], starts[t + 1]);
  const low = new Int32Array(table.length);
  for (let t = 0; t < shift.length; t++)
    if (shift[t]) for (let i = starts[t]; i < starts[t + 1]; i++) low[i] = coder.bits(shift[t]);

  const escaped: number[] = [];
  for (let i = 0; i < high.length; i++) if (high[i] === symbols - 1) escaped.push(i);
  const escapes = readEscapes(coder, escaped.length);

  const values = new Int32Array(table.length);
  for (let i = 0; i < high.length; i++) values[order[i]] = (high[i] - half) * 2 ** shift[table[order[i]]] + low[i];
  for (const [n, i] of escaped.entries()) {
    const magnitude = half + Math.ceil(escapes[n] / 2);
    const value = (escapes[n] % 2 ? -magnitude : magnitude) * 2 ** shift[table[order[i]]] + low[i];
    if (value < -INT32 || value >= INT32) throw invalid("The file is damaged: it has a value that is too large.");
    values[order[i]] = value;
  }
  return values;
}

/** Writes the values of one call; the mirror of `readCall`. */
export function writeCall(coder: RangeEncoder, tables: FrequencyTables, table: Uint16Array, values: Int32Array): void {
  const { half, shift, symbols } = tables;
  const { order } = sortedByTable(table, shift.length);
  const high = Int32Array.from(order, (i) => values[i] >> shift[table[i]]);
  for (const [n, i] of order.entries())
    coder.symbol(tables, table[i], Math.abs(high[n]) <= half ? high[n] + half : symbols - 1);
  for (const [n, i] of order.entries()) coder.bits(shift[table[i]], values[i] - high[n] * 2 ** shift[table[i]]);

  const escaped = high.filter((h) => Math.abs(h) > half);
  const numbers = Array.from(escaped, (h) => 2 * (Math.abs(h) - half) - (h < 0 ? 1 : 0));
  const exponents = numbers.map((number) => Math.floor(Math.log2(number)));
  for (const exponent of exponents) coder.bits(5, exponent);
  for (const [n, number] of numbers.entries()) {
    const width = Math.min(exponents[n], 16);
    coder.bits(width, number % 2 ** width);
  }
  for (const [n, number] of numbers.entries())
    if (exponents[n] > 16) coder.bits(exponents[n] - 16, Math.floor((number - 2 ** exponents[n]) / 2 ** 16));
}

/** The numbers N of section 4.4, 1 to 2^32 - 1. */
function readEscapes(coder: RangeDecoder, count: number): number[] {
  const exponents = Array.from({ length: count }, () => coder.bits(5));
  const numbers = exponents.map((exponent) => coder.bits(Math.min(exponent, 16)));
  return numbers.map((number, n) => 2 ** exponents[n] + number + coder.bits(Math.max(exponents[n] - 16, 0)) * 2 ** 16);
}

/** Positions of the values, those of one table after those of another; and where those of each table start. */
function sortedByTable(table: Uint16Array, tables: number): { order: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(tables + 1);
  for (let i = 0; i < table.length; i++) starts[table[i] + 1]++;
  for (let t = 0; t < tables; t++) starts[t + 1] += starts[t];
  const next = starts.slice();
  const order = new Uint32Array(table.length);
  for (let i = 0; i < table.length; i++) order[next[table[i]]++] = i;
  return { order, starts };
}
