"""`imgcodec info`: what a .nic file says of itself, and what each part of it costs."""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.cli.many import inspect_many, is_many
from imgcodec.cli.options import FileModel, Jobs, Json, MaxPixels, Recursive, explained, printable

if TYPE_CHECKING:
    from imgcodec.file_info import FileInfo


def info(
    sources: Annotated[list[str], typer.Argument(metavar="FILE", help="A .nic file; - is stdin.", show_default=False)],
    recursive: Recursive = False,
    jobs: Jobs = 1,
    as_json: Json = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="Decode the tokens and print their SHA-256.")] = False,
    model: FileModel = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Show every field of the header, and every section with its bytes, share and bits per pixel.

    Exit code 3 if any file is damaged, otherwise that of the first other failure.
    """
    from imgcodec.model_file.find import pinned
    from imgcodec.tasks.inspect import Described, open_describer

    has_many = is_many(sources, recursive)

    def show(source: str, found: Described | Exception) -> None:
        if isinstance(found, Exception):
            if as_json and has_many:
                typer.echo(json.dumps({"file": source, "error": explained(found)}))
            return
        report = as_table(found.info)
        if found.note:
            report["note"] = found.note
        if found.tokens_sha256:
            report["tokens_sha256"] = found.tokens_sha256
        if as_json:
            typer.echo(json.dumps({"file": source, **report}, allow_nan=False))
        else:
            text = [f"{'file':16}{printable(source)}", *lines(report), ""] if has_many else lines(report)
            typer.echo("\n".join(text))

    if model is not None and jobs > 1:
        model = pinned(model)
    inspect_many(sources, recursive, partial(open_describer, model, tokens, max_pixels), jobs, "Reading", show)


def as_table(info: "FileInfo") -> dict[str, object]:
    """Everything about a file, as JSON has it. The bytes of header and sections add up to those of the file."""
    width, height = info.size

    def cost(count: int) -> dict[str, object]:
        return {"bytes": count, "share": count / info.bytes, "bpp": 8 * count / (width * height)}

    return {
        **cost(info.bytes),
        "model": info.model,
        "header": {
            "width": width,
            "height": height,
            "colour_mode": "gray" if info.mode.startswith("L") else "rgb",
            "bit_depth": info.bit_depth,
            "profile": info.profile,
            "tune": info.tune,
            "quality": info.quality,
            "tile_size": info.tile_size,
            "tile_columns": info.tile_columns,
            "tile_rows": info.tile_rows,
            "stage_count": info.stages,
            "lossless": info.lossless,
            "format_version": info.format_version,
            "codebook_id": info.model_id,
            **cost(info.header_bytes),
        },
        "sections": [
            {
                "type": section.name,
                "stage": section.stage,
                "tile": section.tile,
                "calls": section.calls,
                "offset": section.offset,
                "data_bytes": section.data_bytes,
                **cost(section.bytes),
            }
            for section in info.sections
        ],
    }


def lines(report: dict[str, object]) -> list[str]:
    """The report for people."""
    header, sections = report["header"], report["sections"]
    assert isinstance(header, dict)
    assert isinstance(sections, list)
    costs = ("bytes", "share", "bpp")
    text = [
        f"{name.replace('_', ' '):16}{value}"
        for name, value in header.items()
        if value is not None and name not in costs
    ]
    missing = "none, it is lossless" if header["lossless"] else "not installed"
    text.append(f"{'model':16}{report['model'] or missing}")
    if "note" in report:
        text.append(f"{'note':16}{report['note']}")
    if "tokens_sha256" in report:
        text.append(f"{'tokens sha256':16}{report['tokens_sha256']}")
    rows = [{"type": "header", **header}, *sections, {"type": "file", **report}]
    text += ["", f"{'part':12}{'stage':>6}{'tile':>6}{'calls':>8}{'bytes':>10}{'share':>9}{'bpp':>10}"]
    for row in rows:
        stage, tile = (row["stage"], row["tile"]) if row["type"] == "tokens" else ("", "")
        first, end = row.get("calls") or (0, 0)
        calls = f"{first}-{end - 1}" if end - first > 1 else str(first) if end > first else ""
        text.append(
            f"{row['type']:12}{stage:>6}{tile:>6}{calls:>8}{row['bytes']:>10}{row['share']:>9.2%}{row['bpp']:>10.5f}"
        )
    return text
