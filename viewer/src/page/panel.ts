/** What a file says of itself, as the panel shows it. */

import type { Entry } from "../format/container.ts";
import { tileCount, TUNES } from "../format/header.ts";
import type { Facts } from "../protocol.ts";

const INCH = 0.0254; // metres

type Row = [string, string];

/** Fills the panel. */
export function showFacts(panel: HTMLElement, facts: Facts): void {
  panel.replaceChildren(heading("Picture"), list(pictureRows(facts)), heading("File"), list(fileRows(facts)));
  panel.append(heading("Sections"), sections(facts));
}

/** Adds what is known when the picture is decoded. */
export function showDone(panel: HTMLElement, model: string | undefined, tokens: string, took: string): void {
  const rows: Row[] = [["took", took]];
  if (model) rows.unshift(["model", model]);
  if (tokens) rows.push(["tokens’ SHA-256", tokens]);
  panel.append(heading("Decoded"), list(rows));
}

function pictureRows({ header, size, hasAlpha, profile, density }: Facts): Row[] {
  const { width, height, isGray, bitDepth } = header;
  const rows: Row[] = [
    ["size", `${width} × ${height} pixels`],
    ["bytes", `${number(size)}, ${((8 * size) / (width * height)).toFixed(3)} bits per pixel`],
    ["colours", `${isGray ? "gray" : "RGB"}${hasAlpha ? ", alpha" : ""}, ${bitDepth} bits in the original`],
  ];
  if (profile) rows.push(["ICC profile", profile]);
  if (density) rows.push(["density", density.map((dots) => Math.round(dots * INCH)).join(" × ") + " per inch"]);
  return rows;
}

function fileRows({ header }: Facts): Row[] {
  const { version, profile, quality, tune, codebookId, tileSize } = header;
  const rows: Row[] = [["format", `version ${version}, profile ${profile}`]];
  if (profile === "photo") rows.push(["quality", `${quality / 256}, tune ${TUNES[tune]}`]);
  if (profile !== "exact") rows.push(["codebook id", codebookId]);
  rows.push(["tiles", tileSize ? `${tileCount(header)} of ${tileSize} pixels` : "one"]);
  return rows;
}

/** Bytes of all sections, those of one name and stage added up. */
function sections({ entries, size, headerSize }: Facts): HTMLElement {
  const table = document.createElement("table");
  const line = (name: string, count: number, bytes: number) => {
    const row = table.insertRow();
    row.insertCell().textContent = count > 1 ? `${name} × ${count}` : name;
    for (const text of [number(bytes), `${((100 * bytes) / size).toFixed(1)} %`]) {
      const cell = row.insertCell();
      cell.className = "number";
      cell.textContent = text;
    }
  };
  line("header", 1, headerSize);
  const kinds = new Map<string, Entry[]>();
  for (const entry of entries) kinds.set(entry.name, [...(kinds.get(entry.name) ?? []), entry]);
  for (const [name, of] of kinds) line(name, of.length, of.reduce((sum, entry) => sum + entry.size, 0));
  return table;
}

function heading(text: string): HTMLElement {
  const made = document.createElement("h2");
  made.textContent = text;
  return made;
}

function list(rows: Row[]): HTMLElement {
  const made = document.createElement("dl");
  for (const [name, value] of rows) {
    made.append(document.createElement("dt"), document.createElement("dd"));
    made.children[made.children.length - 2].textContent = name;
    made.lastElementChild!.textContent = value;
  }
  return made;
}

export function number(value: number): string {
  return value.toLocaleString("en");
}
