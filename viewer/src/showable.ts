import { checkExact } from "./exact/samples.ts";
import type { NicFile } from "./format/container.ts";
import { invalid } from "./format/errors.ts";
import { checkPhoto } from "./photo/decode.ts";

/** Throws a NicError for a file that this page cannot show, before a model is looked for. */
export function checkShowable(file: NicFile): void {
  const { profile } = file.header;
  if (profile === "photo") checkPhoto(file);
  else if (profile === "exact") checkExact(file);
  else
    throw invalid(
      `The file has the profile ${profile}, and this page shows pictures of the profiles photo and exact: ` +
        "imgcodec decompress makes a PNG of it.",
    );
}
