"""`imgcodec info`: what a .nic file says of itself, and what each part of it costs."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.cli.options import FileModel, MaxPixels, codec_for, read_nic

if TYPE_CHECKING:
    from imgcodec.file_info import FileInfo


def info(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A .nic file; - is stdin.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="Decode the tokens and print their SHA-256.")] = False,
    model: FileModel = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Show every field of the header, and every section with its bytes, share and bits per pixel."""
    from imgcodec.bitstream import container
    from imgcodec.file_info import describe
    from imgcodec.profiles import PROFILES
    from imgcodec.profiles.decodable import check_decodable

    limits = Limits(pixels=max_pixels)
    file = read_nic(source, limits, lambda data: container.read(data, limits))
    report = as_table(describe(file))
    if note := PROFILES[file.header.profile].note:
        report["note"] = note
    if tokens:
        check_decodable(file, limits)
        decoder = codec_for(file.header, model, "cpu")

        from imgcodec.codec import read_tokens

        report["tokens_sha256"] = read_tokens(decoder, file).sha256()
    if as_json:
        typer.echo(json.dumps(report, indent=1, allow_nan=False))
    else:
        typer.echo("\n".join(lines(report)))


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
        f"{name.replace('_', ' '):14}{value}"
        for name, value in header.items()
        if value is not None and name not in costs
    ]
    text.append(f"{'model':14}{report['model'] or 'not installed'}")
    if "note" in report:
        text.append(f"{'note':14}{report['note']}")
    if "tokens_sha256" in report:
        text.append(f"{'tokens sha256':14}{report['tokens_sha256']}")
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
