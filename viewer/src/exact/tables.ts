/** The frozen frequency tables of differences from predictions, and bins of activities: sections 9.3 and 9.4 of
 * docs/format.md. */

import { frequencyTables, type FrequencyTables } from "../format/frequencyTables.ts";

export const COUNT = 78;
export const BINS = 64;
const HALF = 63; // the largest magnitude that needs no escape
const ONE = 1n << 30n;
const TOTAL = 2n ** 24n - 128n;
const SMALL = 4096; // activities below it are looked up

let made: FrequencyTables | undefined;

/** Tables 0 to COUNT - 1. They are computed once, in integers beyond 2^53. */
export function differenceTables(): FrequencyTables {
  if (made) return made;
  const weights = new Int32Array(COUNT * 128);
  const shifts = new Uint8Array(COUNT);
  for (let table = 0; table < COUNT; table++) {
    shifts[table] = Math.max(0, Math.floor((table - 37) / 3));
    const mean = BigInt(cubeRoot(1n << BigInt(table + 30))) >> BigInt(shifts[table]);
    const narrow = shares(mean);
    const wide = shares(3n * mean);
    const mixed = narrow.map((share, i) => Number((TOTAL * (7n * share + wide[i])) >> 33n));
    const row = weights.subarray(128 * table, 128 * (table + 1));
    for (let i = 0; i <= HALF; i++) row[HALF - i] = row[HALF + i] = mixed[i];
    row[127] = mixed[HALF + 1];
    // what is lost by rounding down goes to the first of the largest
    row[row.indexOf(Math.max(...row))] += Number(TOTAL) - row.reduce((sum, weight) => sum + weight);
  }
  made = frequencyTables(weights, shifts);
  return made;
}

/** Of the magnitudes 0 to 63, of one sign, and of all larger ones of both: units of 2^-30. */
function shares(mean: bigint): bigint[] {
  const ratio = (ONE * mean) / (mean + (1n << 20n));
  const powers = [ONE];
  for (let i = 0; i <= HALF; i++) powers.push((powers[i] * ratio) >> 30n);
  const larger = (2n * powers.pop()! * ONE) / (ONE - ratio);
  const total = powers.reduce((sum, power) => sum + 2n * power, -ONE) + larger;
  return [...powers, larger].map((part) => (ONE * part) / total);
}

/** The largest integer whose cube is not above the number. */
function cubeRoot(number: bigint): number {
  let root = Math.round(Number(number) ** (1 / 3));
  while (BigInt(root) ** 3n > number) root--;
  while (BigInt(root + 1) ** 3n <= number) root++;
  return root;
}

/** The least activity of each bin but the first: whose cube is 2^k at least. */
const THRESHOLDS = Int32Array.from({ length: BINS - 1 }, (_, k) => cubeRoot((1n << BigInt(k)) - 1n) + 1);
const OF_SMALL = Uint8Array.from({ length: SMALL }, (_, activity) => search(activity));

/** The bin of an activity from 0, 0 to BINS - 1. */
export function binOf(activity: number): number {
  return activity < SMALL ? OF_SMALL[activity] : search(activity);
}

function search(activity: number): number {
  let bin = 0;
  while (bin < BINS - 1 && THRESHOLDS[bin] <= activity) bin++;
  return bin;
}
