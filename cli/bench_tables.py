"""The tables of `imgcodec bench`: five columns, within 80 in all, and the sentences at their end."""

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from imgcodec.cli.options import printable
from imgcodec.evaluation.peers import TITLES

if TYPE_CHECKING:
    from imgcodec.evaluation.bd import BdRate
    from imgcodec.evaluation.bench import Report
    from imgcodec.evaluation.verdict import AtLikeness, Verdict

DASH = "-"
REMARK = "*"
WIDTH, NAME = 80, 24  # columns


def lines(report: "Report") -> list[str]:
    """Every picture, every quality, every codec, and the verdict on each of ours."""
    text = []
    for verdict in report.verdicts:
        text += [*pictures(verdict, report.others), ""]
    for codec in report.ours:
        text += [*qualities(codec, report), ""]
    text += [*codecs(report), ""]
    if report.drawings:
        text += [*drawings(report), ""]
    for verdict in report.verdicts:
        name = f"{shortened(verdict.codec)}: " if len(report.verdicts) > 1 else ""
        text += wrap(name + verdict.sentence, WIDTH)
    return text


def pictures(verdict: "Verdict", others: list[str]) -> list[str]:
    """Every picture: our bytes, and how they differ from those of the first of the others, the best of the rest, and
    PNG."""
    first, rest = others[0], others[1:]
    where = f"where SSIMULACRA2 is {verdict.likeness:g}" if verdict.likeness is not None else "of each file"
    best = f"vs {rest[0]}" if len(rest) == 1 else "vs best of the rest"
    text = [f"{shortened(verdict.codec)}: bytes {where}", row("picture", "bytes", f"vs {first}", best, "vs png")]
    for picture in verdict.pictures:
        ours = picture.bytes[verdict.codec]
        text.append(
            row(
                picture.image,
                DASH if ours is None else f"{ours:.0f}",
                change(picture.saving(verdict.codec, first)),
                best_of(picture, verdict.codec, rest),
                change(None if ours is None else 1 - ours / picture.png_bytes),
            )
        )
    return text


def drawings(report: "Report") -> list[str]:
    """The pictures that look drawn: bytes without a loss."""
    count, of = len(report.drawings), len(report.images)
    told = f"{count} of {of} pictures look drawn. All figures are of the model alone; compress keeps such pictures"
    text = [*wrap(f"{told} without a loss where that takes hardly more bytes:", WIDTH)]
    text.append(f"{'without a loss, bytes':{NAME}}{'ours':>14}{'webp':>14}{'png':>14}")
    for drawing in report.drawings:
        webp = DASH if drawing.webp is None else drawing.webp
        text.append(f"{padded(drawing.image)}{drawing.ours:>14}{webp:>14}{drawing.png:>14}")
    return text


def best_of(picture: "AtLikeness", ours: str, others: list[str]) -> str:
    """How our bytes differ from those of the other that takes fewest, with its name if there is a choice."""
    savings = {other: s for other in others if (s := picture.saving(ours, other)) is not None}
    if not savings:
        return DASH
    best = min(savings, key=lambda other: savings[other])
    return change(savings[best]) + (f" {best}" if len(others) > 1 else "")


def row(name: str, size: str, first: str, best: str, png: str) -> str:
    return f"{padded(name)}{size:>11}{first:>11}{best:>24}{png:>10}"


def change(saving: float | None) -> str:
    """`-42 %` where ours has so many bytes fewer."""
    return DASH if saving is None else f"{-100 * saving:+.0f} %"


def qualities(codec: str, report: "Report") -> list[str]:
    """What each quality gives, over all pictures."""
    text = [
        shortened(codec) + (f": means over {len(report.images)} pictures" if len(report.images) > 1 else ""),
        f"{'quality':{NAME}}{'bpp':>14}{'PSNR (dB)':>14}{'MS-SSIM (dB)':>14}{'SSIMULACRA2':>14}",
    ]
    for mean in report.means[codec]:
        figures = number(mean.psnr, ".2f"), number(mean.ms_ssim_db, ".2f"), number(mean.ssimulacra2, ".1f")
        text.append(f"{mean.quality:<{NAME}g}{mean.bpp:>14.3f}" + "".join(f"{figure:>14}" for figure in figures))
    return text


def codecs(report: "Report") -> list[str]:
    """BD-rates of the mean curves against the first of the others, and speeds."""
    low, high = report.rates
    anchor = report.others[0]
    text = [
        f"BD-rate against {TITLES.get(anchor, anchor)}, {low:g} to {high:g} bpp",
        f"{'codec':{NAME}}{'PSNR':>12}{'MS-SSIM':>12}{'SSIMULACRA2':>13}{'MP/s, en/decoded':>19}",
    ]
    remarks: list[str] = []
    for codec, comparison in report.bd_rate.items():
        rates = comparison.psnr, comparison.ms_ssim_db, comparison.ssimulacra2
        for metric, rate in zip(("PSNR", "MS-SSIM", "SSIMULACRA2"), rates, strict=True):
            if rate.remark:
                remarks.append(f"{REMARK} {shortened(codec)}, {metric}: {rate.remark}.")
        cells = "".join(f"{bd_cell(rate):>{width}}" for rate, width in zip(rates, (12, 12, 13), strict=True))
        text.append(f"{padded(codec)}{cells}{speed(codec, report):>19}")
    return text + remarks


def bd_cell(rate: "BdRate") -> str:
    figure = DASH if rate.percent is None else f"{rate.percent:+.1f} %"
    return f"{figure}{REMARK}" if rate.remark else figure


def speed(codec: str, report: "Report") -> str:
    """Megapixels a second in each direction, at the middle one of the qualities."""
    means = report.means[codec]
    if not means:
        return DASH
    middle = means[len(means) // 2]
    return f"{middle.encode_mp_per_second:.1f} / {middle.decode_mp_per_second:.1f}"


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where the image is too small for it."""
    return DASH if value is None else format(value, form)


def shortened(name: str) -> str:
    """A name within its column of a terminal, where some letters take two; of a longer one the end is kept."""
    text = printable(name)
    if cell_len(text) < NAME:
        return text
    while cell_len(text) > NAME - 2:
        text = text[1:]
    return f"…{text}"


def padded(name: str) -> str:
    return set_cell_size(shortened(name), NAME)
