/** The walk over the tokens of a tile: sections 5.3 and 5.4 of docs/format.md. One walk for reading and for writing: what
 * becomes of a call is up to a `CallCoder`.
 *
 * The prior is a graph for each step: the anchors of a slice, or its non-anchors. Each takes what the steps before it gave
 * and the tokens that were coded last, and gives the parameters of the next ones. Both halves of a checkerboard are maps
 * of all rows and half of the columns; position x of row r is in column 2x + (r + parity) % 2. */

import { invalid } from "../format/errors.ts";
import type { FrequencyTables } from "../format/frequencyTables.ts";
import type { Header, Rectangle } from "../format/header.ts";
import { float32, int32, type Net, type Tensor, type Tensors } from "./net.ts";
import { type Stage, tilePositions } from "./tokens.ts";

export const SHARES = { 1: 1, 2: 3 }; // calls of each half of a slice, by version of the format
const TUNE_UNITS = 2 ** 15; // of the number by which the prior knows quality and tune
const UPSAMPLING = 4;

/** The prior of a model. steps: two for each slice of both stages. slices: groups of each slice of each stage. window:
 * positions of stage 0 on a side of an attention window. zero: the largest magnitude of a centred token. */
export interface Prior {
  steps: readonly Net[];
  slices: readonly (readonly number[])[];
  window: number;
  zero: number;
  tables: FrequencyTables;
}

/** A call of the range coder: which tokens it has, in its order, and how each is coded. Token i is one of group
 * `group[i]` of the stage, at `place[i]`, row * columns + column of the picture's positions; its value is what it is beyond
 * `centre[i]`, coded with `table[i]`. `slice`: the first group of the slice, and how many it has. */
export interface Call {
  stage: number;
  slice: { first: number; groups: number };
  group: Uint16Array;
  place: Uint32Array;
  centre: Int32Array;
  table: Uint16Array;
}

/** What a walk passes calls through. calls: how many a tile has; the tokens of others are zero. */
export interface CallCoder {
  readonly calls: number;
  /** The values of the next call. */
  code(call: Call): Int32Array;
}

/** The steps of a prior over one tile, in their order. */
export class Steps {
  readonly inside: readonly Tensor[]; // of each stage: 1 at positions that belong to the tile
  private known: Tensors; // what earlier steps gave, and the tokens that were coded last

  /** coarse: positions of stage 0. quality: of the header, with its tune. */
  constructor(
    private readonly prior: Prior,
    coarse: Rectangle,
    quality: number,
  ) {
    this.inside = insideMaps(coarse, prior.window);
    this.known = { quality: float32(Float32Array.of(quality)) };
  }

  /** The parameters of half a slice. */
  async run(stage: number, slice: number, parity: number): Promise<Tensor> {
    const before = stage === 0 ? 0 : this.prior.slices[0].length;
    const net = this.prior.steps[2 * (before + slice) + parity];
    // the first step of stage 1 begins in the resolution of stage 0
    const inside = this.inside[stage === 1 && slice > 0 ? 1 : 0];
    const found = await net.run(pick({ ...this.known, inside }, net.inputs));
    this.known = { ...this.known, ...found, ...(found.next_state && { state: found.next_state }) };
    return found.parameters;
  }

  /** Takes the tokens whose parameters came last: int32 (groups, rows, columns). */
  give(tokens: Tensor): void {
    this.known.tokens = tokens;
  }
}

/** Codes the tokens of one tile, one stage after the other. */
export class TileWalk {
  private readonly steps: Steps;
  private called = 0;

  constructor(
    private readonly prior: Prior,
    private readonly header: Header,
    private readonly tile: number,
    private readonly coder: CallCoder,
  ) {
    this.steps = new Steps(prior, tilePositions(header, tile, 0), header.quality + header.tune * TUNE_UNITS);
  }

  /** Codes a stage, 0 and then 1; its tokens are put into those of the picture. Throws a NicError for tokens that no
   * encoder writes. */
  async code(stage: number, tokens: Stage): Promise<void> {
    const size = this.steps.inside[stage].dims;
    let first = 0;
    for (const [slice, groups] of this.prior.slices[stage].entries()) {
      for (const parity of [0, 1]) {
        if (this.called >= this.coder.calls) return;
        const parameters = (await this.steps.run(stage, slice, parity)).data as Int32Array;
        const plane = new Int32Array(groups * size[0] * (size[1] / 2));
        const half = { stage, first, groups, parity, columns: size[1] / 2, rows: size[0] };
        this.codeHalf(parameters, plane, half, tokens);
        this.steps.give(int32(plane, groups, size[0], size[1] / 2));
      }
      first += groups;
    }
  }

  /** The calls of half a slice; their tokens go into `plane` (groups, rows, columns), and into those of the picture. */
  private codeHalf(parameters: Int32Array, plane: Int32Array, half: Half, tokens: Stage): void {
    const { stage, first, groups, parity, rows, columns } = half;
    const { left, top, width, height } = tilePositions(this.header, this.tile, stage);
    const shares = SHARES[this.header.version];
    const size = rows * columns;
    const places = codedPlaces(width, height, columns, parity);
    for (let share = 0; share < shares && this.called < this.coder.calls; share++) {
      const begin = Math.floor((groups * share) / shares);
      const end = Math.floor((groups * (share + 1)) / shares);
      const count = (end - begin) * places.length;
      const call: Call = {
        stage,
        slice: { first, groups },
        group: new Uint16Array(count),
        place: new Uint32Array(count),
        centre: new Int32Array(count),
        table: new Uint16Array(count),
      };
      for (let group = begin, at = 0; group < end; group++) {
        for (const place of places) {
          const mean = parameters[group * size + place] + 8;
          const scale = parameters[(groups + group) * size + place];
          const row = Math.floor(place / columns);
          const column = 2 * (place - row * columns) + ((row + parity) & 1);
          call.table[at] = 16 * Math.min(Math.max(scale, 0), 63) + (mean & 15);
          call.centre[at] = mean >> 4;
          call.group[at] = first + group;
          call.place[at++] = (top + row) * tokens.columns + left + column;
        }
      }
      const values = this.coder.code(call);
      this.called++;
      for (let group = begin, at = 0; group < end; group++) {
        for (const place of places) {
          const token = values[at] + call.centre[at];
          if (Math.abs(token) > this.prior.zero)
            throw invalid("The file is damaged: it has a token that no codebook knows.");
          plane[group * size + place] = token;
          tokens.data[call.group[at] * tokens.rows * tokens.columns + call.place[at++]] = token;
        }
      }
    }
  }
}

/** Groups of a slice, from the stage's group `first` on, at positions of one parity, in maps (rows, columns). */
interface Half {
  stage: number;
  first: number;
  groups: number;
  parity: number;
  rows: number;
  columns: number;
}

/** Places in a half map of `columns` columns of the positions that belong to the tile, row after row. */
function codedPlaces(width: number, height: number, columns: number, parity: number): Int32Array {
  const places: number[] = [];
  for (let row = 0; row < height; row++)
    for (let x = 0; 2 * x + ((row + parity) & 1) < width; x++) places.push(row * columns + x);
  return Int32Array.from(places);
}

/** 1 at positions that belong to the tile, 0 in the rounding to whole windows; of both stages. */
function insideMaps(coarse: Rectangle, window: number): Tensor[] {
  const rows = Math.ceil(coarse.height / window) * window;
  const columns = Math.ceil(coarse.width / window) * window;
  return [1, UPSAMPLING].map((factor) => {
    const map = new Float32Array(rows * columns * factor ** 2);
    for (let row = 0; row < coarse.height * factor; row++)
      map.fill(1, row * columns * factor, row * columns * factor + coarse.width * factor);
    return float32(map, rows * factor, columns * factor);
  });
}

function pick(tensors: Tensors, names: readonly string[]): Tensors {
  return Object.fromEntries(names.map((name) => [name, tensors[name]]));
}
