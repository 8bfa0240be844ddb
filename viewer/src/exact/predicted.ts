/** Samples as differences from predictions, from a coarse grid to a fine one: section 9.3 of docs/format.md. */

import { Cursor } from "../format/cursor.ts";
import { invalid } from "../format/errors.ts";
import { readCall } from "../format/frequencyTables.ts";
import { RangeDecoder } from "../format/rangeDecoder.ts";
import { binOf, BINS, COUNT, differenceTables } from "./tables.ts";

const CLASSES = 3;
const LEVELS = 2; // with weights of their own: the finest grid, and all others
const FIRST_TABLE = 60;
const REACH = 3; // of the furthest neighbour

/** Of each group its first row and column in a grid, and pairs of neighbours: rows down and columns to the right of the
 * one; the other lies opposite. */
const GROUPS: readonly { first: Pair; pairs: readonly Pair[] }[] = [
  { first: [1, 1], pairs: [[1, 1], [1, -1], [1, 3], [1, -3], [3, 1], [3, -1]] },
  { first: [0, 1], pairs: [[0, 1], [1, 0], [1, 2], [1, -2], [2, 1], [2, -1], [0, 3], [3, 0]] },
  { first: [1, 0], pairs: [[0, 1], [1, 0], [1, 1], [1, -1], [1, 2], [1, -2], [2, 1], [2, -1]] },
];

type Pair = readonly [number, number];

/** A plane of a tile. missed: magnitudes of the differences that were sent. low, high: its least and largest number.
 * weights: of each group, level and class. tables: of each bin. */
interface Plane {
  numbers: Int32Array;
  missed: Int32Array;
  low: number;
  high: number;
  weights: Int8Array[];
  tables: Uint8Array;
}

/** The samples of a tile, one plane for each channel. most: the largest sample, 255 or 65535. Throws a NicError for data
 * that no encoder makes. */
export function readPredicted(data: Uint8Array, channels: number, width: number, height: number, most: number): Int32Array[] {
  const cursor = new Cursor(data);
  const weights = readWeights(cursor, channels);
  const planes = weights.map((of, channel): Plane => {
    const isDifference = channels >= 3 && (channel === 1 || channel === 2);
    return {
      numbers: new Int32Array(width * height),
      missed: new Int32Array(width * height),
      low: isDifference ? -most : 0,
      high: most,
      weights: of,
      tables: readTables(cursor),
    };
  });
  const coder = new RangeDecoder(cursor.take(cursor.left, "the samples"));
  const first = readCall(coder, differenceTables(), new Uint16Array(channels).fill(FIRST_TABLE));
  for (const [channel, plane] of planes.entries()) plane.numbers[0] = checked(first[channel], plane);

  for (let step = largestStep(width, height); step >= 1; step /= 2) {
    for (let group = 0; group < GROUPS.length; group++) {
      const [top, left] = GROUPS[group].first;
      if (top * step >= height || left * step >= width) continue;
      const before: Int32Array[] = []; // differences of planes before this one
      for (const plane of planes) {
        const place = new Places(group, step, width, height);
        before.push(readGroup(coder, plane, place, weightsOf(plane, group, step), before));
      }
    }
  }
  if (channels >= 3) for (const channel of [1, 2]) addGreen(planes[channel].numbers, planes[0].numbers, most);
  const [green, red, blue, ...alpha] = planes.map(({ numbers }) => numbers);
  return channels >= 3 ? [red, green, blue, ...alpha] : planes.map(({ numbers }) => numbers);
}

/** The step of the coarsest grid; less than 1 for a single sample. */
function largestStep(width: number, height: number): number {
  let step = 1;
  while (step < Math.max(width, height)) step *= 2;
  return step / 2;
}

/** The weights of each class for a group in the grid of this step. */
function weightsOf({ weights }: Plane, group: number, step: number): Int8Array[] {
  const at = (group * LEVELS + (step === 1 ? 0 : 1)) * CLASSES;
  return weights.slice(at, at + CLASSES);
}

/** Where the samples of a group in a grid and their neighbours lie in a plane. rowAt and columnAt have REACH places more
 * on each side than the grid, in which it is mirrored. */
class Places {
  readonly rows: number; // of the grid
  readonly columns: number;
  readonly rowAt: Int32Array;
  readonly columnAt: Int32Array;
  readonly top: number; // of the group, in the grid
  readonly left: number;
  readonly pairs: readonly Pair[];
  readonly count: number;

  constructor(group: number, step: number, width: number, height: number) {
    const { first, pairs } = GROUPS[group];
    [this.top, this.left] = first;
    this.rows = Math.ceil(height / step);
    this.columns = Math.ceil(width / step);
    this.rowAt = mirrored(this.rows, step * width);
    this.columnAt = mirrored(this.columns, step);
    // there is nothing above and below, or on the sides
    const only = this.rows === 1 ? pairs[0] : this.columns === 1 ? pairs[1] : undefined;
    this.pairs = only ? pairs.map(() => only) : pairs;
    this.count = Math.ceil((this.rows - this.top) / 2) * Math.ceil((this.columns - this.left) / 2);
  }
}

/** Places of 0 - REACH to length + REACH - 1 of a line, `step` apart, mirrored at its ends. */
function mirrored(length: number, step: number): Int32Array {
  const period = Math.max(1, 2 * (length - 1));
  return Int32Array.from({ length: length + 2 * REACH }, (_, at) => {
    const place = (at - REACH + REACH * period) % period;
    return step * Math.min(place, period - place, length - 1);
  });
}

/** Reads the numbers of a group of a plane, and returns the differences that were sent. weights: of each class. before:
 * the differences of the planes before, at the same places. */
function readGroup(
  coder: RangeDecoder,
  plane: Plane,
  places: Places,
  weights: readonly Int8Array[],
  before: readonly Int32Array[],
): Int32Array {
  const { numbers, missed, low, high, tables } = plane;
  const { rows, columns, rowAt, columnAt, top, left, pairs, count } = places;
  const sums = weights.map((of) => of.subarray(0, pairs.length - 1).reduce((sum, weight) => sum + weight, 0));
  // weights behind the last that is not 0 need not be looked at; where a file has none, that is all but the first
  const ends = weights.map((of) => of.subarray(0, pairs.length - 1).findLastIndex((weight) => weight !== 0) + 1);
  const predicted = new Int32Array(count);
  const table = new Uint16Array(count);
  const [[aDown, aRight], [bDown, bRight]] = pairs;
  for (let row = top + REACH, at = 0; row < rows + REACH; row += 2) {
    const aRow = rowAt[row + aDown];
    const aOther = rowAt[row - aDown];
    const bRow = rowAt[row + bDown];
    const bOther = rowAt[row - bDown];
    for (let column = left + REACH; column < columns + REACH; column += 2, at++) {
      const a = aRow + columnAt[column + aRight];
      const b = aOther + columnAt[column - aRight];
      const c = bRow + columnAt[column + bRight];
      const d = bOther + columnAt[column - bRight];
      const across = Math.abs(numbers[a] - numbers[b]);
      const down = Math.abs(numbers[c] - numbers[d]);
      const kind = 2 * across + 1 < down ? 1 : 2 * down + 1 < across ? 2 : 0;
      const ofClass = weights[kind];
      const second = numbers[c] + numbers[d];
      const nearest = numbers[a] + numbers[b] + second;
      let change = ends[kind] > 0 ? ofClass[0] * second : 0;
      for (let pair = 1; pair < ends[kind]; pair++) {
        const [y, x] = pairs[pair + 1];
        change += ofClass[pair] * (numbers[rowAt[row + y] + columnAt[column + x]] + numbers[rowAt[row - y] + columnAt[column - x]]);
      }
      change = 2 * change - sums[kind] * nearest;
      let activity = across + down + missed[a] + missed[b] + missed[c] + missed[d];
      for (let channel = 0; channel < before.length; channel++) {
        const error = before[channel][at];
        change += 4 * ofClass[pairs.length - 1 + channel] * error;
        activity += 2 * Math.abs(error);
      }
      predicted[at] = Math.min(Math.max((128 * nearest + change + 256) >> 9, low), high);
      table[at] = tables[binOf(activity)];
    }
  }
  const differences = readCall(coder, differenceTables(), table);
  for (let row = top + REACH, at = 0; row < rows + REACH; row += 2) {
    for (let column = left + REACH; column < columns + REACH; column += 2, at++) {
      const place = rowAt[row] + columnAt[column];
      numbers[place] = checked(predicted[at] + differences[at], plane);
      missed[place] = Math.abs(differences[at]);
    }
  }
  return differences;
}

function checked(number: number, { low, high }: Plane): number {
  if (number < low || number > high) throw outOfRange();
  return number;
}

function addGreen(numbers: Int32Array, green: Int32Array, most: number): void {
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] += green[i];
    if (numbers[i] < 0 || numbers[i] > most) throw outOfRange();
  }
}

/** Of each plane: of each group, level and class. */
function readWeights(cursor: Cursor, channels: number): Int8Array[][] {
  const flags = cursor.take(Math.ceil((18 * channels) / 8), "the weights");
  let number = 0;
  return Array.from({ length: channels }, (_, channel) =>
    GROUPS.flatMap(({ pairs }) =>
      Array.from({ length: LEVELS * CLASSES }, (_, place) => {
        const size = pairs.length - 1 + channel;
        const isThere = (flags[number >> 3] >> (number & 7)) & 1;
        number++;
        if (isThere) return Int8Array.from(cursor.take(size, "the weights"));
        const usual = new Int8Array(size);
        usual[0] = [0, -96, 96][place % CLASSES];
        return usual;
      }),
    ),
  );
}

/** The table of each bin. */
function readTables(cursor: Cursor): Uint8Array {
  const count = cursor.integer(1, "the tables");
  const found = cursor.take(count, "the tables");
  if (count < 1 || count > BINS || found.some((table) => table >= COUNT))
    throw invalid("The exact pixels are damaged: they ask for a table that there is not.");
  return Uint8Array.from({ length: BINS }, (_, bin) => found[Math.min(bin, count - 1)]);
}

function outOfRange(): Error {
  return invalid("The exact pixels are damaged: a sample is out of its range.");
}
