import { invalid } from "../format/errors.ts";
import { readCall } from "../format/frequencyTables.ts";
import { RangeDecoder } from "../format/rangeDecoder.ts";
import type { Part } from "../format/tokenSections.ts";
import { type Call, type CallCoder, type Prior, SHARES } from "./walk.ts";

/** Reads the calls of a tile from its parts. */
export class CallReader implements CallCoder {
  private readonly decoders: RangeDecoder[] = []; // of each call
  private called = 0;

  /** Throws a NicError for a tile of more calls than the model makes. */
  constructor(
    private readonly prior: Prior,
    version: 1 | 2,
    parts: readonly Part[],
  ) {
    const calls = prior.slices.map((slices) => 2 * SHARES[version] * slices.length);
    for (const part of parts) {
      const decoder = new RangeDecoder(part.data);
      const count = version === 1 ? calls[part.first] : part.end - part.first;
      for (let i = 0; i < count; i++) this.decoders.push(decoder);
    }
    if (this.calls > calls[0] + calls[1])
      throw invalid(`The file has a tile of ${this.calls} calls, which its model does not make.`);
  }

  get calls(): number {
    return this.decoders.length;
  }

  code(call: Call): Int32Array {
    return readCall(this.decoders[this.called++], this.prior.tables, call.table);
  }
}
