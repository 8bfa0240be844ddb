/** What token sections hold, in both versions of the format: sections 3 and 3.5 of docs/format.md. */

import type { Section } from "./container.ts";
import { invalid } from "./errors.ts";
import { type Header, MAX_CALLS, tileCount } from "./header.ts";

const MIDDLE = 64;
const LAST = 128;
const UNKNOWN = 192;

/** The stream of a tile's calls `first` to `end - 1`; of its stages in version 1. */
export interface Part {
  first: number;
  end: number;
  data: Uint8Array;
}

/** The parts of each tile. Throws a NicError where a section is missing, out of order, or does not fit the others. */
export function tokenParts(header: Header, sections: Section[]): Part[][] {
  return header.version === 1 ? ofStages(header, sections) : ofCalls(header, sections);
}

function ofStages(header: Header, sections: Section[]): Part[][] {
  const count = tileCount(header);
  const tiles: Part[][] = Array.from({ length: count }, () => []);
  for (const [index, { stage, tile, data }] of sections.entries()) {
    if (stage * count + tile !== index || stage >= header.stages) throw outOfOrder(stage, tile);
    tiles[tile].push({ first: stage, end: stage + 1, data });
  }
  if (sections.length !== header.stages * count) throw invalid("The file is invalid: sections of tokens are missing.");
  return tiles;
}

function ofCalls(header: Header, sections: Section[]): Part[][] {
  const tiles: Part[][] = Array.from({ length: tileCount(header) }, () => []);
  const totals = new Map<number, number>();
  let last = [-1, 0];
  for (const { stage: field, tile, data } of sections) {
    const first = field < MIDDLE ? 0 : field % MIDDLE;
    const isAhead = first > last[0] || (first === last[0] && tile > last[1]);
    if (!isAhead || field >= UNKNOWN || first > MAX_CALLS - 1) throw outOfOrder(field, tile);
    last = [first, tile];
    const parts = tiles[tile];
    const total = totals.get(tile);
    if (field < MIDDLE) {
      totals.set(tile, field);
      parts.push({ first: 0, end: Math.min(field, header.firstCalls), data });
      continue;
    }
    const before = parts.at(-1);
    const isLast = field >= LAST;
    if (total === undefined || before === undefined || first !== before.end || first < header.firstCalls || first >= total)
      throw misfit(tile);
    if (isLast) {
      parts.push({ first, end: total, data });
    } else {
      if (data.length === 0 || data[0] <= first || data[0] >= total) throw misfit(tile);
      parts.push({ first, end: data[0], data: data.subarray(1) });
    }
  }
  for (const [tile, parts] of tiles.entries())
    if (parts.length === 0 || parts.at(-1)!.end !== totals.get(tile)) throw misfit(tile);
  return tiles;
}

function outOfOrder(stage: number, tile: number): Error {
  return invalid(`The file is invalid: its tokens of stage ${stage}, tile ${tile} are not where they belong.`);
}

function misfit(tile: number): Error {
  return invalid(`The file is invalid: the token sections of tile ${tile} do not fit together, or one is missing.`);
}
