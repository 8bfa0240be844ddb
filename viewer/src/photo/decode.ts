/** A picture of the profile `photo`, from its container to its pixels, in the order in which people want to see it. */

import type { NicFile } from "../format/container.ts";
import { invalid } from "../format/errors.ts";
import { type Header, type Rectangle, tileCount, tileRectangle } from "../format/header.ts";
import { checkTile } from "../format/limits.ts";
import { type Blocks, layOver, readBlocks } from "../exact/blocks.ts";
import { CallReader } from "./callReader.ts";
import type { Model } from "./model.ts";
import { preview, synthesise } from "./synthesis.ts";
import { emptyTokens, type Stage } from "./tokens.ts";
import { TileWalk } from "./walk.ts";

const PIECE = 768; // side in pixels, a multiple of 64: the larger, the less is computed twice in margins

/** What is known of a picture so far. tokens: of both stages, zero where they are not read yet. */
export type Progress =
  | { kind: "preview"; width: number; height: number; pixels: Uint8Array }
  | { kind: "piece"; part: Rectangle; pixels: Uint8Array }
  | { kind: "tokens"; tokens: readonly Stage[] };

/** Throws a NicError for a file that has not what the profile `photo` is made of, before a model is looked for. */
export function checkPhoto({ header }: NicFile): void {
  if (header.stages !== 2) throw invalid("The file is invalid: pictures of the profile photo have two stages.");
  checkTile(header);
}

/** A preview of the whole picture, then its pieces, RGB, each when all tokens that it depends on are read, with the exact
 * blocks of its tiles; and all of the tokens after the last of them are read. Throws a NicError for tokens and blocks that
 * no encoder writes. */
export async function* decode(file: NicFile, model: Model): AsyncGenerator<Progress> {
  const { header } = file;
  const tokens = emptyTokens(header, model.groups);
  const walks = file.tiles.map(
    (parts, tile) => new TileWalk(model.prior, header, tile, new CallReader(model.prior, header.version, parts)),
  );
  for (const walk of walks) await walk.code(0, tokens[0]);
  const { rows, columns } = tokens[0];
  yield { kind: "preview", width: columns, height: rows, pixels: await preview(model.transform, header, tokens) };

  const done = new Set<number>();
  const exact: Blocks[] = [];
  let pieces = piecesOf(header, model.transform.halo);
  for (const [tile, walk] of walks.entries()) {
    await walk.code(1, tokens[1]);
    done.add(tile);
    const blocks = file.blocks.get(tile);
    if (blocks) exact.push(readBlocks(blocks, tileRectangle(header, tile), header.isGray));
    if (done.size === walks.length) yield { kind: "tokens", tokens };
    for (const { part } of pieces.filter(({ tiles }) => tiles.every((needed) => done.has(needed)))) {
      const pixels = await synthesise(model.transform, header, tokens, part);
      for (const blocks of exact) layOver(pixels, part, blocks);
      yield { kind: "piece", part, pixels };
    }
    pieces = pieces.filter(({ tiles }) => !tiles.every((needed) => done.has(needed)));
  }
}

interface Piece {
  part: Rectangle;
  tiles: number[];
}

/** The pieces of the picture, each with the tiles of which it needs tokens. */
function piecesOf(header: Header, halo: number): Piece[] {
  const { width, height } = header;
  const margin = Math.ceil(halo / 4) * 64;
  const tiles = Array.from({ length: tileCount(header) }, (_, tile) => tileRectangle(header, tile));
  const pieces: Piece[] = [];
  for (let top = 0; top < height; top += PIECE) {
    for (let left = 0; left < width; left += PIECE) {
      const part = { left, top, width: Math.min(PIECE, width - left), height: Math.min(PIECE, height - top) };
      const touches = (tile: Rectangle) =>
        tile.left < part.left + part.width + margin &&
        tile.left + tile.width > part.left - margin &&
        tile.top < part.top + part.height + margin &&
        tile.top + tile.height > part.top - margin;
      pieces.push({ part, tiles: [...tiles.keys()].filter((tile) => touches(tiles[tile])) });
    }
  }
  return pieces;
}

/** Makes the channels of a gray picture equal, in place: RGB -> luma. */
export function toGray(pixels: Uint8Array): void {
  for (let at = 0; at < pixels.length; at += 3) {
    const luma = Math.round(0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]);
    pixels.fill(luma, at, at + 3);
  }
}
