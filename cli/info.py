"""`imgcodec info`: what a .nic file says of itself, and what each part of it costs."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from imgcodec.bitstream.limits import DEFAULT_LIMITS, Limits
from imgcodec.cli.options import FileModel, MaxPixels, model_for

if TYPE_CHECKING:
    from imgcodec.bitstream.container import Container


def info(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A .nic file; - is stdin.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    tokens: Annotated[bool, typer.Option("--tokens", help="Decode the tokens and print their SHA-256.")] = False,
    model: FileModel = None,
    max_pixels: MaxPixels = DEFAULT_LIMITS.pixels,
) -> None:
    """Show every field of the header, and every section with its bytes, share and bits per pixel."""
    from imgcodec.bitstream import container
    from imgcodec.profiles.decodable import check_decodable
    from imgcodec.storage import files

    limits = Limits(pixels=max_pixels)
    data = files.read(source, limits.file_bytes)
    file = container.read(data, limits)
    report = describe(file, len(data))
    if tokens:
        check_decodable(file, limits)
        decoder = model_for(file.header, model, "cpu")
        report["tokens_sha256"] = decoder.read_tokens(data, max_pixels=max_pixels).sha256()
    if as_json:
        typer.echo(json.dumps(report, indent=1, allow_nan=False))
    else:
        typer.echo("\n".join(lines(report)))


def describe(file: "Container", size: int) -> dict[str, object]:
    """Everything about a file, as JSON has it. The bytes of header and sections add up to those of the file."""
    from imgcodec.bitstream.header import QUALITY_UNIT
    from imgcodec.profiles import PROFILES

    header = file.header
    row = PROFILES.get(header.profile)
    has_qualities = row is not None and row.has_qualities

    def cost(count: int) -> dict[str, object]:
        return {"bytes": count, "share": count / size, "bpp": 8 * count / (header.width * header.height)}

    return {
        **cost(size),
        "header": {
            "width": header.width,
            "height": header.height,
            "colour_mode": header.colour_mode.name.lower(),
            "bit_depth": header.bit_depth,
            "profile": header.profile.name.lower(),
            "tune": header.tune.name.lower() if has_qualities else None,
            "quality": header.quality / QUALITY_UNIT if has_qualities else None,
            "tile_size": header.tile_size,
            "tile_columns": header.tile_columns,
            "tile_rows": header.tile_rows,
            "stage_count": header.stage_count,
            "codebook_id": header.codebook_id.hex(),
            **cost(file.header_size),
        },
        "sections": [
            {
                "type": entry.name,
                "stage": entry.stage,
                "tile": entry.tile,
                "offset": entry.offset,
                "data_bytes": entry.data_size,
                **cost(entry.size),
            }
            for entry in file.entries
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
    if "tokens_sha256" in report:
        text.append(f"{'tokens sha256':14}{report['tokens_sha256']}")
    rows = [{"type": "header", **header}, *sections, {"type": "file", **report}]
    text += ["", f"{'part':12}{'stage':>6}{'tile':>6}{'bytes':>10}{'share':>9}{'bpp':>10}"]
    for row in rows:
        stage, tile = (row["stage"], row["tile"]) if row["type"] == "tokens" else ("", "")
        text.append(f"{row['type']:12}{stage:>6}{tile:>6}{row['bytes']:>10}{row['share']:>9.2%}{row['bpp']:>10.5f}")
    return text
