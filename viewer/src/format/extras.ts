/** Alpha and metadata: section 3.1 of docs/format.md. */

import { ZSTDDecoder } from "zstddec";
import { Cursor } from "./cursor.ts";
import type { NicFile } from "./container.ts";
import { invalid } from "./errors.ts";
import { MAX_METADATA } from "./limits.ts";

/** What a file has beside its tokens. alpha: width x height bytes, 255 opaque. density: pixels per metre, across and
 * down. */
export interface Extras {
  alpha?: Uint8Array;
  icc?: Uint8Array;
  exif?: Uint8Array;
  xmp?: Uint8Array;
  density?: [number, number];
}

const zstd = new ZSTDDecoder();

/** Throws a NicError for sections that do not hold what they should. */
export async function unpackExtras(file: NicFile): Promise<Extras> {
  const found: Extras = {};
  const { width, height } = file.header;
  if (["alpha", "icc", "exif", "xmp"].some((name) => file.extras.has(name as "alpha"))) await zstd.init();
  for (const name of ["icc", "exif", "xmp"] as const) {
    const data = file.extras.get(name);
    if (data) found[name] = unpack(data, MAX_METADATA);
  }
  const alpha = file.extras.get("alpha");
  if (alpha) {
    const rows = unpack(alpha, width * height);
    if (rows.length !== width * height) throw invalid("The alpha section does not have the size of the picture.");
    for (let top = 0; top < rows.length; top += width)
      for (let at = top + 1; at < top + width; at++) rows[at] += rows[at - 1]; // modulo 256
    found.alpha = rows;
  }
  const density = file.extras.get("density");
  if (density) found.density = unpackDensity(density);
  const features = file.extras.get("features");
  if (features && (features.length < 8 || features.length > 2 ** 14))
    throw invalid("The features section does not have the size of one.");
  return found;
}

function unpackDensity(data: Uint8Array): [number, number] {
  const cursor = new Cursor(data);
  const density: [number, number] = [cursor.varint("the density"), cursor.varint("the density")];
  if (cursor.left || density.includes(0)) throw invalid("The density section does not hold two numbers above 0.");
  return density;
}

/** One zstandard frame (RFC 8878) that states its size, with nothing behind it. */
function unpack(data: Uint8Array, limit: number): Uint8Array {
  const { contentSize, end } = measureFrame(data);
  if (contentSize > limit) throw invalid(`A compressed section unpacks to more than ${limit} bytes.`);
  if (end !== data.length) throw notAFrame();
  const unpacked = contentSize ? zstd.decode(data, contentSize) : new Uint8Array();
  if (unpacked.length !== contentSize) throw notAFrame(); // where it fails, the library gives nothing
  return unpacked;
}

/** The size that a frame states, and where the frame ends, without unpacking it. */
function measureFrame(data: Uint8Array): { contentSize: number; end: number } {
  const cursor = new Cursor(data);
  try {
    if (cursor.integer(4, "") !== 0xfd2fb528) throw notAFrame();
    const descriptor = cursor.integer(1, "");
    const isSingle = (descriptor >> 5) & 1;
    const sizeBytes = [isSingle, 2, 4, 8][descriptor >> 6];
    if (descriptor & 11 || sizeBytes === 0) throw notAFrame(); // a reserved bit, a dictionary, no size
    if (!isSingle) cursor.take(1, "");
    const low = cursor.integer(Math.min(sizeBytes, 4), "");
    const high = sizeBytes === 8 ? cursor.integer(4, "") : 0;
    for (let isLast = 0; !isLast; ) {
      const block = cursor.integer(3, "");
      isLast = block & 1;
      cursor.take(((block >> 1) & 3) === 1 ? 1 : block >> 3, "");
    }
    cursor.take(descriptor & 4, ""); // a checksum
    return { contentSize: low + high * 2 ** 32 + (sizeBytes === 2 ? 256 : 0), end: cursor.offset };
  } catch {
    throw notAFrame();
  }
}

function notAFrame(): Error {
  return invalid("The file is damaged: a compressed section is not a valid zstandard frame.");
}
