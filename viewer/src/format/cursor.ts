import { crc32c } from "./crc32c.ts";
import { invalid } from "./errors.ts";

/** Untrusted bytes, read from front to back. `what` names a field for messages; nothing is allocated, for what is taken
 * is a view. All methods throw a NicError where the bytes do not hold what is asked for. */
export class Cursor {
  offset = 0;

  constructor(readonly data: Uint8Array) {}

  get left(): number {
    return this.data.length - this.offset;
  }

  take(count: number, what: string): Uint8Array {
    if (count > this.left) throw invalid(`The file is cut short or damaged: ${what} reaches past its end.`);
    this.offset += count;
    return this.data.subarray(this.offset - count, this.offset);
  }

  /** The next `width` bytes, 1 to 4, as an unsigned little-endian integer. */
  integer(width: number, what: string): number {
    return this.take(width, what).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  /** The next varint, 0 to 2^32 - 1, section 1.1: refused where it is larger, or spelled longer than it has to be. */
  varint(what: string): number {
    let value = 0;
    for (let position = 0; position < 5; position++) {
      const byte = this.integer(1, what);
      value += (byte & 0x7f) * 2 ** (7 * position);
      if (byte < 0x80) {
        if (value >= 2 ** 32 || (byte === 0 && position > 0)) break;
        return value;
      }
    }
    throw invalid(`The file is damaged: ${what} is not a valid number.`);
  }

  /** Compares the next four bytes with the checksum of those from `start` to them. */
  checksum(start: number, what: string): void {
    const expected = crc32c(this.data.subarray(start, this.offset));
    if (this.integer(4, `the checksum of ${what}`) !== expected)
      throw invalid(`The file is damaged: the checksum of ${what} is wrong.`);
  }
}
