"""ICC profiles: whether one is whole, what it is for, and the segments of a JPEG that it comes in.

Untrusted input. A profile is kept to the byte or not at all. (ICC.1:2022, section 7 and annex B.4.)
"""

import struct
from collections.abc import Iterable

JPEG_SIGNATURE = b"ICC_PROFILE\0"
_HEADER = 128
CICP = b"cicp"
"""The tag of a profile that states the same colours by number."""
NOT_WHOLE = "its ICC profile is not whole and was left out"
DAMAGED = "its ICC profile is damaged and was left out"


def space(icc: bytes) -> str:
    """The colour space in the header of a profile: RGB, GRAY, CMYK ..."""
    return icc[16:20].decode("latin-1").strip()


def fault(icc: bytes) -> str | None:
    """A note where a profile is cut or is none; None where its header and its table of tags are sound."""
    if len(icc) < _HEADER + 4 or len(icc) < int.from_bytes(icc[:4], "big"):
        return NOT_WHOLE
    if icc[36:40] != b"acsp":
        return DAMAGED
    (count,) = struct.unpack_from(">I", icc, _HEADER)
    if count > (len(icc) - _HEADER - 4) // 12:
        return DAMAGED
    places = (struct.unpack_from(">4sII", icc, _HEADER + 4 + 12 * index) for index in range(count))
    return DAMAGED if any(start + size > len(icc) for _, start, size in places) else None


def joined(segments: Iterable[bytes]) -> tuple[bytes | None, str | None]:
    """The profile in the APP2 segments of a JPEG, or None; and a note where there is one that is not whole.

    Each segment has a number and the count of all. The numbers must be in a row; a segment may be there twice, and what
    decides is not the count, which some programs write wrong, but the length in the profile itself.
    """
    parts: dict[int, bytes] = {}
    for segment in segments:
        if not segment.startswith(JPEG_SIGNATURE) or len(segment) < 14:
            continue
        number, part = segment[12], segment[14:]
        if parts.setdefault(number, part) != part:  # two profiles, or half of each
            return None, NOT_WHOLE
    if not parts:
        return None, None
    numbers = sorted(parts)
    if numbers[0] > 1 or numbers[-1] - numbers[0] != len(numbers) - 1:
        return None, NOT_WHOLE
    return b"".join(parts[number] for number in numbers), None
