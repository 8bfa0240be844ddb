/** Why a file is not shown, as a sentence for people. `kind`: "file" for one that is damaged, hostile or none of this
 * format, "model" where the model that it needs is not there or cannot be used, "browser" for one that computes a model
 * wrongly. */
export class NicError extends Error {
  constructor(
    readonly kind: "file" | "model" | "browser",
    message: string,
  ) {
    super(message);
    this.name = "NicError";
  }
}

export function invalid(message: string): NicError {
  return new NicError("file", message);
}
