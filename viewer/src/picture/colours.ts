/** Pixels as the page shows them. */

import { quickPng, type Raster } from "./png.ts";

/** What is drawn: RGBA in sRGB, or a bitmap that the browser has brought from another profile into its own colours. */
export type Drawable = ImageData | ImageBitmap;

/** Pixels of a part of a picture, as something that can be drawn. icc: its profile, if it has one. */
export async function drawable(raster: Raster, icc: Uint8Array | undefined): Promise<Drawable> {
  if (icc && !isSrgb(icc)) {
    try {
      // the browser knows profiles of all kinds, and takes them from PNG files
      return await createImageBitmap(await quickPng(raster, icc), { premultiplyAlpha: "none" });
    } catch {
      // a picture that cannot be managed is shown as it is
    }
  }
  return new ImageData(rgba(raster), raster.width, raster.height);
}

/** Whether the profile's name says that it is sRGB, which needs no management. */
export function isSrgb(icc: Uint8Array): boolean {
  return profileName(icc).startsWith("sRGB");
}

/** The name of an ICC profile, from its tag `desc`; empty where it has none that can be read. (ICC.1:2022, 9.2.44; a
 * tag of version 2 is ASCII, one of version 4 UTF-16.) */
export function profileName(icc: Uint8Array): string {
  const view = new DataView(icc.buffer, icc.byteOffset, icc.length);
  try {
    const count = Math.min(view.getUint32(128), 100);
    for (let tag = 132; tag < 132 + 12 * count; tag += 12) {
      if (view.getUint32(tag) !== 0x64657363) continue;
      const at = view.getUint32(tag + 4);
      if (view.getUint32(at) === 0x64657363) return ascii(icc.subarray(at + 12, at + 12 + view.getUint32(at + 8)));
      const start = at + view.getUint32(at + 24);
      return utf16(icc.subarray(start, start + view.getUint32(at + 20)));
    }
  } catch {
    // it points past its end
  }
  return "";
}

function ascii(data: Uint8Array): string {
  return new TextDecoder("latin1").decode(data).replace(/\0.*$/s, "").slice(0, 80);
}

function utf16(data: Uint8Array): string {
  return new TextDecoder("utf-16be").decode(data).replace(/\0.*$/s, "").slice(0, 80);
}

function rgba({ width, height, channels, data }: Raster): Uint8ClampedArray<ArrayBuffer> {
  const found = new Uint8ClampedArray(4 * width * height);
  const isGray = channels < 3;
  const hasAlpha = channels % 2 === 0;
  for (let from = 0, to = 0; to < found.length; from += channels, to += 4) {
    found[to] = data[from];
    found[to + 1] = data[from + (isGray ? 0 : 1)];
    found[to + 2] = data[from + (isGray ? 0 : 2)];
    found[to + 3] = hasAlpha ? data[from + channels - 1] : 255;
  }
  return found;
}
