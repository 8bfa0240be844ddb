/** Tokens of a picture of the profile `photo`: section 5.2 of docs/format.md. */

import { type Header, type Rectangle, tileRectangle } from "../format/header.ts";

/** Pixels on a side of a position, in both stages. */
export const STRIDES = [64, 16] as const;

/** Centred tokens of one stage: (groups, rows, columns). */
export interface Stage {
  groups: number;
  rows: number;
  columns: number;
  data: Int16Array;
}

/** A picture's tokens, all zero. groups: of each stage. */
export function emptyTokens(header: Header, groups: readonly number[]): Stage[] {
  return STRIDES.map((stride, stage) => {
    const rows = Math.ceil(header.height / stride);
    const columns = Math.ceil(header.width / stride);
    return { groups: groups[stage], rows, columns, data: new Int16Array(groups[stage] * rows * columns) };
  });
}

/** The positions of a tile in a stage, from those of the picture. */
export function tilePositions(header: Header, tile: number, stage: number): Rectangle {
  const { left, top, width, height } = tileRectangle(header, tile);
  const stride = STRIDES[stage];
  return {
    left: left / stride,
    top: top / stride,
    width: Math.ceil(width / stride),
    height: Math.ceil(height / stride),
  };
}

/** What the SHA-256 of tokens is taken over, section 5.5. zero: index of the zero codeword. */
export function hashedBytes(stages: readonly Stage[], zero: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(stages.reduce((size, stage) => size + 12 + 2 * stage.data.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { groups, rows, columns, data } of stages) {
    for (const size of [groups, rows, columns]) {
      view.setUint32(at, size, true);
      at += 4;
    }
    for (const token of data) {
      view.setUint16(at, token + zero, true);
      at += 2;
    }
  }
  return bytes;
}
