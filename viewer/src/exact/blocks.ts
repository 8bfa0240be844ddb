/** Exact blocks of a tile whose other pixels are made of tokens: section 3.6 of docs/format.md. */

import { invalid } from "../format/errors.ts";
import type { Rectangle } from "../format/header.ts";
import { readTile } from "./tile.ts";

const SIDE = 64; // pixels of a block; those in the last column and row of a tile may be smaller

/** Blocks of a tile. places: theirs in the picture. area: the smallest rectangle that has them all. samples: of the area,
 * of red, green and blue. */
export interface Blocks {
  places: Rectangle[];
  area: Rectangle;
  samples: ArrayLike<number>[];
}

/** The blocks of the tile at a place. Throws a NicError for data that no writer makes. */
export function readBlocks(data: Uint8Array, tile: Rectangle, isGray: boolean): Blocks {
  const columns = Math.ceil(tile.width / SIDE);
  const count = columns * Math.ceil(tile.height / SIDE);
  const size = Math.ceil(count / 8);
  const chosen: number[] = [];
  for (let bit = 0; bit < 8 * Math.min(size, data.length); bit++) if ((data[bit >> 3] >> (bit & 7)) & 1) chosen.push(bit);
  if (data.length < size || chosen.length === 0 || chosen[chosen.length - 1] >= count)
    throw invalid("The exact blocks are damaged: they do not say which they are.");
  const places = chosen.map((block) => {
    const left = (block % columns) * SIDE;
    const top = Math.floor(block / columns) * SIDE;
    return {
      left: tile.left + left,
      top: tile.top + top,
      width: Math.min(SIDE, tile.width - left),
      height: Math.min(SIDE, tile.height - top),
    };
  });
  const area = hull(places);
  const samples = readTile(data.subarray(size), isGray ? 1 : 3, area.width, area.height, 8);
  return { places, area, samples: isGray ? [samples[0], samples[0], samples[0]] : samples };
}

/** Lays blocks over the decoded pixels, RGB, of a part of the picture. Where exact pixels meet decoded ones, what is to
 * be done about their border is done here. */
export function layOver(pixels: Uint8Array, part: Rectangle, { places, area, samples }: Blocks): void {
  for (const place of places) {
    const left = Math.max(place.left, part.left);
    const right = Math.min(place.left + place.width, part.left + part.width);
    const bottom = Math.min(place.top + place.height, part.top + part.height);
    for (let row = Math.max(place.top, part.top); row < bottom; row++) {
      let from = (row - area.top) * area.width + left - area.left;
      let to = 3 * ((row - part.top) * part.width + left - part.left);
      for (let column = left; column < right; column++, from++)
        for (const channel of samples) pixels[to++] = channel[from];
    }
  }
}

/** The smallest rectangle that has all of these. */
function hull(places: readonly Rectangle[]): Rectangle {
  const left = Math.min(...places.map((place) => place.left));
  const top = Math.min(...places.map((place) => place.top));
  const right = Math.max(...places.map((place) => place.left + place.width));
  const bottom = Math.max(...places.map((place) => place.top + place.height));
  return { left, top, width: right - left, height: bottom - top };
}
