"""Image files of every kind that is read, written from known samples by code that shares nothing with the reader.

Each case says what it must become: colours and alpha of 8 bits, rounded, from the samples that went in.
"""

from collections.abc import Callable, Iterator

from generated_pictures.bmp import bmp_cases
from generated_pictures.case import Case
from generated_pictures.others import pillow_cases, pnm_cases, qoi_cases
from generated_pictures.png import png_cases
from generated_pictures.tiff import tiff_cases

SOURCES: tuple[Callable[[], Iterator[Case]], ...] = (
    png_cases, tiff_cases, pnm_cases, bmp_cases, qoi_cases, pillow_cases,
)  # fmt: skip


def all_cases() -> list[Case]:
    return [case for source in SOURCES for case in source()]
