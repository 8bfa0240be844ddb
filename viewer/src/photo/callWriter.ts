/** The writer's side of calls: it chooses tokens by rate and distortion while they are coded, as
 * imgcodec/priors/photo/rdoq.py does, and writes them as parts of a file. */

import { type FrequencyTables, writeCall } from "../format/frequencyTables.ts";
import { RangeEncoder } from "../format/rangeEncoder.ts";
import type { Part } from "../format/tokenSections.ts";
import type { Latent } from "./analysis.ts";
import { type Call, type CallCoder, type Prior, SHARES } from "./walk.ts";

const TOTAL = 2 ** 24;

/** Chooses the tokens of a tile nearest to a latent, or cheaper ones, and keeps its calls. */
export class CallWriter implements CallCoder {
  readonly calls: number; // all that the model makes
  private readonly written: { table: Uint16Array; values: Int32Array; isZero: boolean }[] = [];
  private readonly costs: Float32Array;

  constructor(
    private readonly prior: Prior,
    private readonly latent: Latent,
  ) {
    this.calls = 2 * SHARES[2] * prior.slices.flat().length;
    this.costs = costsOf(prior.tables);
  }

  code(call: Call): Int32Array {
    const { group, place, centre, table } = call;
    const { data, rows, columns } = this.latent.stages[call.stage];
    const groups = this.prior.slices[call.stage].reduce((sum, size) => sum + size);
    const weight = sliceWeight(call.slice.first, call.slice.groups, groups);
    const values = new Int32Array(table.length);
    let isZero = true;
    for (let i = 0; i < values.length; i++) {
      const value = data[group[i] * rows * columns + place[i]] - centre[i];
      const nearest = Math.round(value);
      // stage 0 is rounded already: stage 1 is what it leaves
      const isChosen = call.stage === 1 && nearest !== 0;
      values[i] = isChosen ? this.cheaper(value, nearest, table[i], weight * this.latent.importance[place[i]]) : nearest;
      if (values[i] + centre[i] !== 0) isZero = false;
    }
    this.written.push({ table, values, isZero });
    return values;
  }

  /** The parts of the tile, up to its last call that has a token other than zero; firstCalls: of the header. */
  parts(firstCalls: number): Part[] {
    let total = this.written.length;
    while (total > 0 && this.written[total - 1].isZero) total--;
    const ends = total > firstCalls ? [firstCalls, total] : [total];
    return ends.map((end, index) => {
      const first = index === 0 ? 0 : firstCalls;
      const coder = new RangeEncoder();
      for (const { table, values } of this.written.slice(first, end)) writeCall(coder, this.prior.tables, table, values);
      return { first, end, data: coder.finish() };
    });
  }

  /** The nearest integer, or the next one towards 0 where that costs less. */
  private cheaper(value: number, nearest: number, table: number, weight: number): number {
    const towardsZero = nearest - Math.sign(nearest);
    const penalty = weight * ((value - towardsZero) ** 2 - (value - nearest) ** 2);
    return this.bits(nearest, table) > this.bits(towardsZero, table) + penalty ? towardsZero : nearest;
  }

  /** Bits of a value, without low bits and what follows an escape: neighbouring values have the same there. */
  private bits(value: number, table: number): number {
    const { half, shift, symbols } = this.prior.tables;
    const high = value >> shift[table];
    return this.costs[table * symbols + (Math.abs(high) <= half ? high + half : symbols - 1)];
  }
}

/** Bits of each symbol of each table. */
function costsOf({ cumulative, symbols, shift }: FrequencyTables): Float32Array {
  const costs = new Float32Array(shift.length * symbols);
  for (let table = 0, at = 0; table < shift.length; table++)
    for (let i = table * (symbols + 1); i < table * (symbols + 1) + symbols; i++)
      costs[at++] = -Math.log2((cumulative[i + 1] - cumulative[i]) / TOTAL);
  return costs;
}

/** The bits that equal a squared error of one step, for a slice of a stage of `total` groups. Tokens are context for all
 * that follow: the earlier a slice comes, the nearer its tokens should be to the truth. */
function sliceWeight(first: number, groups: number, total: number): number {
  return 6 * ((first + groups / 2) / total) ** -0.8;
}
