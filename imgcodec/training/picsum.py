"""Sample photographs from https://picsum.photos: pictures of Unsplash, cut to a square, each with its author.

    GET /v2/list?page=1&limit=100   [{"id": "0", "author": "...", "url": "https://unsplash.com/...", ...}, ...]
    GET /id/0/256/256               a redirection to a JPEG of 256 x 256

A server's answers are untrusted input: sizes, times and redirections have limits, and an answer is kept only if it is a
picture of the requested size. Requests that fail for passing reasons are tried again.
"""

import hashlib
import http.client
import json
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import imgcodec
from imgcodec.bitstream.errors import CodecError, InvalidFileError, UsageError
from imgcodec.pictures import io as image
from imgcodec.storage import files
from imgcodec.storage.folders import make_folder
from imgcodec.storage.shards import MANIFEST

BASE = "https://picsum.photos"
LICENCE = "Unsplash License, https://unsplash.com/license"
PAGE = 100  # entries of the list in one answer, the most that it gives
PAGES = 100
LIST_BYTES = 2**20
TRIES = 6
TIMEOUT = 20.0  # seconds without a byte
DEADLINE = 120.0  # seconds for an answer
PAUSE = 1.0  # seconds before the second try, doubled for each after it
LONGEST_PAUSE = 30.0
PIECE = 2**16
AGAIN = {408, 425, 429, 500, 502, 503, 504}  # HTTP states that may pass


class _GoneError(CodecError):
    """The server does not have it, now or later."""


class _TransientError(Exception):
    """An error that may pass. seconds: how long the server asks to wait."""

    def __init__(self, reason: str, seconds: float = 0) -> None:
        super().__init__(reason)
        self.seconds = seconds


def download(
    target: Path,
    count: int,
    size: int,
    seed: int,
    base: str = BASE,
    complain: Callable[[str], None] = lambda _: None,
    advance: Callable[[], None] = lambda: None,
) -> int:
    """Pictures `picsum-ID-SIZE.jpg` and `manifest.jsonl` in a folder; returns how many had to be fetched.

    seed: chooses the pictures from the list. Pictures that are there and whole are not fetched again. complain: called
    with a sentence for each picture that the server lists and does not have, which is replaced by another, and for each
    file that is fetched again. Raises UsageError for a base that is no web address, CodecError unless `count` whole
    pictures are there.
    """
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", base):
        raise UsageError(f"--url takes an address that begins with http:// or https://, not {base!r}.")
    make_folder(target)
    there = fetched = 0
    try:
        entries = _list(base.rstrip("/"))
        random.Random(seed).shuffle(entries)
        for entry in entries:
            if there == count:
                break
            try:
                fetched += _ensure(target, entry, size, base.rstrip("/"), complain)
            except _GoneError as error:
                complain(f"Skipped picture {entry['id']}: {error}")
                continue
            there += 1
            advance()
        if there < count:
            raise CodecError(f"The list has no more than {len(entries)} pictures.")
    except UsageError:
        raise
    except CodecError as error:
        state = f"{there} of {count} pictures are in {target}; the same command goes on from there."
        raise CodecError(f"{error} {state}") from None
    return fetched


def _ensure(target: Path, entry: dict[str, str], size: int, base: str, complain: Callable[[str], None]) -> bool:
    """Ensures that a picture and its line of the manifest are there; returns whether it had to be fetched."""
    path = target / f"picsum-{entry['id']}-{size}.jpg"
    address = f"{base}/id/{entry['id']}/{size}/{size}"
    data, fetched = None, False
    if path.exists():
        try:
            data = files.read(path, _limit(size))
            _check_picture(data, size)
        except CodecError as error:
            complain(f"{path}: {error} It is fetched anew.")
            data = None
    if data is None:
        data = _get(address, _limit(size), lambda answer: _check_picture(answer, size))
        files.write(path, data, force=True)
        fetched = True
    line = {
        "name": path.name, "id": entry["id"], "author": entry["author"], "url": entry["url"], "licence": LICENCE,
        "source": address, "width": size, "height": size, "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    _add_line(target / MANIFEST, line)
    return fetched


def _limit(size: int) -> int:
    """Bytes that a JPEG of that size may have: noise at the highest quality, and metadata."""
    return 4 * size * size + 2**18


def _check_picture(data: bytes, size: int) -> None:
    picture = image.load(data, max_pixels=max(size * size, 1))
    if (picture.width, picture.height) != (size, size):
        raise InvalidFileError(f"The picture has {picture.width} x {picture.height} pixels instead of {size} x {size}.")


def _add_line(path: Path, line: dict[str, Any]) -> None:
    """Puts a line into a manifest, in the place of that of the same name. The manifest is there whole all the time."""
    lines: dict[str, str] = {}
    if path.exists():
        for text in filter(None, files.read(path).decode(errors="replace").split("\n")):
            try:
                lines[json.loads(text)["name"]] = text
            except (ValueError, TypeError, KeyError, RecursionError):
                raise CodecError(f"{path} is not a manifest of pictures.") from None
    new = json.dumps(line)
    if lines.get(line["name"]) != new:
        lines[line["name"]] = new
        files.write(path, "".join(f"{text}\n" for text in lines.values()).encode(), force=True)


def _list(base: str) -> list[dict[str, str]]:
    """Id, author and address of every picture there is, by id. The whole list, so that a seed always means the same."""
    found: dict[str, dict[str, str]] = {}
    for page in range(1, PAGES + 1):
        address = f"{base}/v2/list?page={page}&limit={PAGE}"
        entries: list[dict[str, str]] = []

        def check(answer: bytes, entries: list[dict[str, str]] = entries) -> None:
            entries[:] = _entries(answer)

        _get(address, LIST_BYTES, check)
        known = len(found)
        found |= {entry["id"]: entry for entry in entries}
        if len(found) == known:  # the last page, or a server that knows no pages
            break
    return [found[id] for id in sorted(found, key=int)]


def _entries(answer: bytes) -> list[dict[str, str]]:
    """What is needed of a page of the list. Raises InvalidFileError for anything but such a page."""
    try:
        entries = [{key: item[key] for key in ("id", "author", "url")} for item in json.loads(answer)]
        if not all(isinstance(value, str) and len(value) <= 2000 for entry in entries for value in entry.values()):
            raise ValueError
        if not all(re.fullmatch(r"[0-9]{1,9}", entry["id"]) for entry in entries):  # it becomes a part of a name
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidFileError("It is not a list of pictures.") from None
    return entries


def _get(address: str, limit: int, check: Callable[[bytes], None]) -> bytes:
    """What is at an address. check: raises InvalidFileError for an answer that is not what was wanted.

    Raises CodecError when the last try has failed, _GoneError at once where there is nothing."""
    pause, reason = PAUSE, ""
    for attempt in range(TRIES):
        try:
            data = _get_once(address, limit)
            check(data)
            return data
        except InvalidFileError as error:
            reason, wait = f"its answer is not what it should be: {_clause(str(error))}", pause
        except _TransientError as transient:
            reason, wait = _clause(str(transient)), max(pause, transient.seconds)
        if attempt < TRIES - 1:
            time.sleep(min(wait, LONGEST_PAUSE) * random.uniform(0.75, 1))  # not all clients at once
            pause *= 2
    raise CodecError(f"{_host(address)} failed {TRIES} times: {reason}.")


def _get_once(address: str, limit: int) -> bytes:
    request = urllib.request.Request(address, headers={"User-Agent": f"imgcodec/{imgcodec.__version__}"})
    deadline = time.monotonic() + DEADLINE
    try:
        with urllib.request.build_opener(_Redirections).open(request, timeout=TIMEOUT) as answer:
            expected = int(answer.headers.get("Content-Length") or -1)
            if expected > limit:
                raise CodecError(f"{_host(address)} sends {expected} bytes, over the limit of {limit} bytes.")
            data = bytearray()
            while piece := answer.read1(PIECE):
                data += piece
                if len(data) > limit:
                    raise CodecError(f"{_host(address)} sends more than the limit of {limit} bytes.")
                if time.monotonic() > deadline:
                    raise _TransientError(f"it took more than {DEADLINE:g} s")
            if expected >= 0 and len(data) != expected:
                raise _TransientError(f"its answer was cut after {len(data)} of {expected} bytes")
            return bytes(data)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in AGAIN:
                asked = error.headers.get("Retry-After") or ""
                raise _TransientError(
                    f"HTTP {error.code}", float(asked) if re.fullmatch(r"\d{1,6}", asked) else 0
                ) from None
            said = f"{_host(address)} says HTTP {error.code}"
            raise (_GoneError if error.code in (404, 410) else CodecError)(f"{said}: {error.reason}.") from None
    except TimeoutError:
        raise _TransientError(f"no answer for {TIMEOUT:g} s") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _TransientError(f"no answer for {TIMEOUT:g} s") from None
        raise _TransientError(
            files.reason(error.reason) if isinstance(error.reason, OSError) else str(error.reason)
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _TransientError(files.reason(error) or type(error).__name__) from None


class _Redirections(urllib.request.HTTPRedirectHandler):
    """As the library follows them, but from https to https alone, and never to another kind of address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urllib.parse.urlsplit(newurl).scheme.lower() not in allowed:
            raise CodecError(f"{_host(req.full_url)} redirects to {newurl!r:.200}, which is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).netloc


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
