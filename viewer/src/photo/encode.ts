/** A picture to a .nic file. */

import { type Header, tileCount } from "../format/header.ts";
import { checkSize } from "../format/limits.ts";
import type { Part } from "../format/tokenSections.ts";
import { writeFile } from "../format/write.ts";
import { type Analyser, analyse } from "./analysis.ts";
import { CallWriter } from "./callWriter.ts";
import type { Model } from "./model.ts";
import { emptyTokens } from "./tokens.ts";
import { SHARES, TileWalk } from "./walk.ts";

const TILE = 1024; // pixels on a side

/** The bytes of a file, and no metadata in them. pixels: RGBA, alpha is kept where it is not opaque. quality: 0 to 100.
 * advance: is told the share that is done, 0 to 1. Throws a NicError for a picture that is over a limit. */
export async function encode(
  pixels: ImageData,
  quality: number,
  model: Model,
  analyser: Analyser,
  advance: (share: number) => void,
): Promise<Uint8Array> {
  const { width, height, data } = pixels;
  const header: Header = {
    version: 2,
    width,
    height,
    isGray: false,
    hasAlpha: false,
    bitDepth: 8,
    profile: "photo",
    tune: model.tune,
    quality: Math.round(quality * 256),
    tileSize: Math.max(width, height) > TILE ? TILE : 0,
    stages: 2,
    firstCalls: 2 * SHARES[2] * model.prior.slices[0].length,
    codebookId: model.id,
  };
  checkSize(header);
  const latent = await analyse(analyser, header, data, model.groups, (share) => advance(share / 2));
  const tokens = emptyTokens(header, model.groups);
  const tiles: Part[][] = [];
  for (let tile = 0; tile < tileCount(header); tile++) {
    const writer = new CallWriter(model.prior, latent);
    const walk = new TileWalk(model.prior, header, tile, writer);
    for (const stage of [0, 1]) await walk.code(stage, tokens[stage]);
    tiles.push(writer.parts(header.firstCalls));
    advance(0.5 + (0.5 * tiles.length) / tileCount(header));
  }
  return writeFile(header, tiles, alphaOf(data));
}

/** Alpha, or nothing where all is opaque. */
function alphaOf(data: Uint8ClampedArray): Uint8Array | undefined {
  const alpha = new Uint8Array(data.length / 4);
  for (let i = 0; i < alpha.length; i++) alpha[i] = data[4 * i + 3];
  return alpha.every((value) => value === 255) ? undefined : alpha;
}
