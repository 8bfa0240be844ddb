/** The page: opens files, compresses pictures, and wires what is on it. */

import { Decoder, type Job } from "../decoder.ts";
import { SIGNATURE } from "../format/header.ts";
import type { Told } from "../protocol.ts";
import { drawPiece, drawPreview } from "./canvas.ts";
import { number, showDone, showFacts } from "./panel.ts";
import { Stage } from "./stage.ts";

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [port, welcome, fault, panel, status] = ["port", "welcome", "fault", "panel", "status"].map(element);
const canvas = element<HTMLCanvasElement>("canvas");
const original = element<HTMLCanvasElement>("original");
const compare = element("compare");
const divide = element<HTMLInputElement>("divide");
const quality = document.querySelector<HTMLInputElement>("#quality input")!;
const progress = element<HTMLProgressElement>("progress");
const picker = element<HTMLInputElement>("file");
const zoomTools = document.querySelector<HTMLElement>(".zoom")!;

const decoder = new Decoder(new URL(".", import.meta.url));
const stage = new Stage(port, [canvas, original], (scale) => {
  element("scale").textContent = `${Math.round(100 * scale * devicePixelRatio)} %`;
});
let job: Job | undefined;
let opened = ""; // the name of the file

// Opening

function open(name: string, data: Uint8Array): void {
  begin(name);
  job = decoder.decode(data, show);
}

/** Clears the page for a file of this name. */
function begin(name: string): void {
  job?.stop();
  job = undefined;
  opened = name;
  element("name").textContent = name;
  document.title = `${name} – imgcodec viewer`;
  for (const part of [welcome, fault, canvas, zoomTools, element("facts")]) part.hidden = true;
  for (const part of [original, compare, element("quality")]) part.hidden = true;
  compressed = undefined;
  hold();
}

/** Takes away what belongs to a picture that is not there any more. */
function hold(): void {
  for (const id of ["save", "keep"]) element(id).hidden = true;
  showPanel(false);
  panel.replaceChildren();
  status.textContent = "Reading …";
  progress.removeAttribute("value");
  progress.hidden = false;
}

function fail(message: string): void {
  for (const part of [progress, canvas, original, compare, zoomTools]) part.hidden = true;
  fault.textContent = message;
  fault.hidden = false;
  port.setAttribute("aria-label", "No picture");
  status.textContent = "";
}

async function openAddress(address: string): Promise<void> {
  const url = new URL(address, location.href);
  const name = decodeURIComponent(url.pathname.split("/").pop() || address);
  begin(name);
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    open(name, new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    fail(`${url.href} could not be fetched: ${(error as Error).message}.`);
  }
}

/** Opens a .nic file, or compresses a picture. */
async function openFile(file: File | undefined | null): Promise<void> {
  if (!file) return;
  const data = new Uint8Array(await file.arrayBuffer());
  const isNic = SIGNATURE.subarray(0, 4).every((byte, at) => data[at] === byte);
  const bitmap = isNic ? undefined : await createImageBitmap(file).catch(() => undefined); // turned as its EXIF says
  if (bitmap) compress(file.name, file.size, bitmap);
  else open(file.name, data); // what is neither is told there
}

// Compressing

/** What was compressed. pixels: RGBA in sRGB. size: bytes of its file. file: the .nic file, when it is written. */
interface Compressed {
  pixels: ImageData;
  size: number;
  file?: Uint8Array;
}

let compressed: Compressed | undefined;

function compress(name: string, size: number, bitmap: ImageBitmap): void {
  begin(name);
  const { width, height } = bitmap;
  for (const each of [original, canvas]) Object.assign(each, { width, height });
  const context = original.getContext("2d", { colorSpace: "srgb", willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  compressed = { pixels: context.getImageData(0, 0, width, height), size };
  for (const part of [original, compare, element("quality"), zoomTools, canvas]) part.hidden = false;
  stage.fit();
  encode();
}

/** Compresses the picture in the quality that is chosen. */
function encode(): void {
  if (!compressed) return;
  job?.stop();
  hold();
  fault.hidden = true;
  status.textContent = "Compressing …";
  job = decoder.encode(compressed.pixels, Number(quality.value), show);
}

function keep(): void {
  if (compressed?.file) download(new Blob([compressed.file as BlobPart]), opened.replace(/(\.[^.]*)?$/, ".nic"));
}

// What the decoder tells

let pixels = 0; // of the picture
let drawn = 0;

function show(told: Told): void {
  if (told.kind === "encoding") {
    progress.value = 0.6 * told.share;
  } else if (told.kind === "written" && compressed) {
    compressed.file = told.file;
    element("keep").hidden = false;
  } else if (told.kind === "facts") {
    const { width, height } = told.facts.header;
    pixels = width * height;
    drawn = 0;
    showFacts(panel, told.facts);
    element("facts").hidden = false;
    // which clears it: what was compressed in another quality stays until there is more
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    port.setAttribute("aria-label", `${opened}, ${width} by ${height} pixels`);
    status.textContent = told.facts.header.profile === "exact" ? "Decoding …" : "Loading the model …";
  } else if (told.kind === "model") {
    if (!compressed) progress.value = 0.2 * told.share;
  } else if (told.kind === "preview") {
    drawPreview(canvas, told.image);
    reveal();
    status.textContent = "Decoding …";
  } else if (told.kind === "piece") {
    drawPiece(canvas, told.left, told.top, told.image);
    reveal();
    drawn += told.image.width * told.image.height;
    const before = compressed ? 0.6 : 0.2;
    progress.value = before + ((1 - before) * drawn) / pixels;
  } else if (told.kind === "done") {
    progress.hidden = true;
    element("save").hidden = false;
    const took = `${told.seconds.toFixed(1)} s, ${told.threads === 1 ? "one thread" : `${told.threads} threads`}`;
    showDone(panel, told.model, told.tokens, took);
    status.textContent = compressed?.file
      ? `${number(compressed.file.length)} bytes, of ${number(compressed.size)}; colours in sRGB, without metadata.`
      : `${canvas.width} × ${canvas.height}, ${number(pixels)} pixels, decoded in ${took}.`;
  } else if (told.kind === "failed") {
    fail(told.message);
  }
}

/** Shows the canvas, when the first of its picture is on it. */
function reveal(): void {
  if (!canvas.hidden) return;
  canvas.hidden = false;
  zoomTools.hidden = false;
  stage.fit();
}

async function save(): Promise<void> {
  if (!job || element("save").hidden) return;
  const button = element<HTMLButtonElement>("save");
  button.disabled = true;
  try {
    download(await job.save(), compressed ? `${opened}.nic.png` : opened.replace(/(\.nic)?$/i, ".png"));
  } catch (error) {
    status.textContent = (error as Error).message;
  }
  button.disabled = false;
}

function download(data: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function showPanel(isOpen: boolean): void {
  panel.hidden = !isOpen;
  element("facts").setAttribute("aria-expanded", String(isOpen));
}

// Buttons, keys and drops

const togglePanel = () => showPanel(panel.hidden && !element("facts").hidden);
const pick = () => picker.click();
const BUTTONS: Record<string, () => void> = {
  open: pick,
  pick,
  out: () => stage.zoom(-1),
  in: () => stage.zoom(1),
  fit: () => stage.fit(),
  full: () => stage.full(),
  keep,
  save,
  facts: togglePanel,
};
for (const [id, act] of Object.entries(BUTTONS)) element(id).addEventListener("click", act);

const KEYS: Record<string, () => void> = {
  o: pick,
  "-": () => stage.zoom(-1),
  "+": () => stage.zoom(1),
  "=": () => stage.zoom(1),
  "0": () => stage.fit(),
  "1": () => stage.full(),
  s: save,
  i: togglePanel,
  Escape: () => showPanel(false),
  ArrowLeft: () => stage.pan(-1, 0),
  ArrowRight: () => stage.pan(1, 0),
  ArrowUp: () => stage.pan(0, -1),
  ArrowDown: () => stage.pan(0, 1),
};
document.addEventListener("keydown", (event) => {
  const focused = document.activeElement;
  const isOwn = event.key.startsWith("Arrow") && (panel.contains(focused) || focused instanceof HTMLInputElement);
  if (event.ctrlKey || event.metaKey || event.altKey || isOwn || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

quality.addEventListener("input", () => (quality.nextElementSibling!.textContent = quality.value));
quality.addEventListener("change", encode);
divide.addEventListener("input", () => original.style.setProperty("--divide", `${divide.value}%`));
picker.addEventListener("change", () => {
  void openFile(picker.files?.[0]);
  picker.value = ""; // so that the same file can be picked again
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("drop");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("drop");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("drop");
  void openFile(event.dataTransfer?.files[0]);
});

const address = new URLSearchParams(location.search).get("src");
if (address) void openAddress(address);
