/** Drawing what a decoder tells onto a canvas. */

import type { Drawable } from "../picture/colours.ts";

/** The canvas's context, in the widest colours that the screen has. A canvas keeps the colours that it was first asked
 * for. */
export function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const isWide = matchMedia("(color-gamut: p3)").matches;
  return canvas.getContext("2d", { colorSpace: isWide ? "display-p3" : "srgb" })!;
}

/** Fills the canvas with a small picture, smoothly. */
export function drawPreview(canvas: HTMLCanvasElement, image: Drawable): void {
  const small = document.createElement("canvas");
  small.width = image.width;
  small.height = image.height;
  drawPiece(small, 0, 0, image);
  const to = context(canvas);
  to.imageSmoothingQuality = "high";
  const { width, height } = image;
  // a position stands for 64 pixels, also where the picture ends sooner
  to.drawImage(small, 0, 0, width, height, 0, 0, 64 * width, 64 * height);
}

/** Draws a piece of the picture where it belongs, over what is there. */
export function drawPiece(canvas: HTMLCanvasElement, left: number, top: number, image: Drawable): void {
  const to = context(canvas);
  if (image instanceof ImageData) {
    to.putImageData(image, left, top);
    return;
  }
  to.clearRect(left, top, image.width, image.height);
  to.drawImage(image, left, top);
  image.close();
}
