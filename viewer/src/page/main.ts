/** The page: opens files, and wires what is on it. */

import { Decoder, type Job } from "../decoder.ts";
import type { Told } from "../protocol.ts";
import { drawPiece, drawPreview } from "./canvas.ts";
import { number, showDone, showFacts } from "./panel.ts";
import { Stage } from "./stage.ts";

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [port, welcome, fault, panel, status] = ["port", "welcome", "fault", "panel", "status"].map(element);
const canvas = element<HTMLCanvasElement>("canvas");
const progress = element<HTMLProgressElement>("progress");
const picker = element<HTMLInputElement>("file");
const zoomTools = document.querySelector<HTMLElement>(".zoom")!;

const decoder = new Decoder(new URL(".", import.meta.url));
const stage = new Stage(port, canvas, (scale) => {
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
  for (const part of [welcome, fault, canvas, zoomTools, element("save"), element("facts")]) part.hidden = true;
  showPanel(false);
  panel.replaceChildren();
  status.textContent = "Reading …";
  progress.removeAttribute("value");
  progress.hidden = false;
}

function fail(message: string): void {
  progress.hidden = true;
  canvas.hidden = true;
  zoomTools.hidden = true;
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

async function openFile(file: File | undefined | null): Promise<void> {
  if (file) open(file.name, new Uint8Array(await file.arrayBuffer()));
}

// What the decoder tells

let pixels = 0; // of the picture
let drawn = 0;

function show(told: Told): void {
  if (told.kind === "facts") {
    const { width, height } = told.facts.header;
    pixels = width * height;
    drawn = 0;
    showFacts(panel, told.facts);
    element("facts").hidden = false;
    canvas.width = width;
    canvas.height = height;
    port.setAttribute("aria-label", `${opened}, ${width} by ${height} pixels`);
    status.textContent = "Loading the model …";
  } else if (told.kind === "model") {
    progress.value = 0.2 * told.share;
  } else if (told.kind === "preview") {
    drawPreview(canvas, told.image);
    canvas.hidden = false;
    zoomTools.hidden = false;
    stage.fit();
    status.textContent = "Decoding …";
  } else if (told.kind === "piece") {
    drawPiece(canvas, told.left, told.top, told.image);
    drawn += told.image.width * told.image.height;
    progress.value = 0.2 + (0.8 * drawn) / pixels;
  } else if (told.kind === "done") {
    progress.hidden = true;
    element("save").hidden = false;
    const took = `${told.seconds.toFixed(1)} s, ${told.threads === 1 ? "one thread" : `${told.threads} threads`}`;
    showDone(panel, told.model, told.tokens, took);
    status.textContent = `${canvas.width} × ${canvas.height}, ${number(pixels)} pixels, decoded in ${took}.`;
  } else if (told.kind === "failed") {
    fail(told.message);
  }
}

async function save(): Promise<void> {
  if (!job || element("save").hidden) return;
  const button = element<HTMLButtonElement>("save");
  button.disabled = true;
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await job.save());
    link.download = opened.replace(/(\.nic)?$/i, ".png");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    status.textContent = (error as Error).message;
  }
  button.disabled = false;
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
  const isOwn = event.key.startsWith("Arrow") && panel.contains(document.activeElement);
  if (event.ctrlKey || event.metaKey || event.altKey || isOwn || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

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
