"""Models in the Hugging Face hub: hf://owner/name, hf://owner/name@revision, hf://owner/name/FILE.safetensors.

    address ──► sizes of the repository's files ──► model file and card, in that library's cache ──► path

What is fetched anew, what is taken from the cache, and what happens without a network (HF_HUB_OFFLINE, or when there is
none) is as the library huggingface_hub has it, the extra `hub`. What comes is untrusted, as every model file is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from imgcodec.bitstream.errors import CodecError, ModelNotFoundError, UnusableModelError, UsageError
from imgcodec.model_file.card import HUB_CARD, LARGEST_CARD

SCHEME = "hf://"
SUFFIX = ".safetensors"

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_ADDRESS = re.compile(rf"hf://({_PART}/{_PART})(?:@({_PART}(?:/{_PART})*?))?(?:/({_PART}\.safetensors))?")


class Address(NamedTuple):
    """A model in the hub. repository: owner/name. revision: a branch, a tag or a commit. file: None for the only
    model file there is."""

    repository: str
    revision: str
    file: str | None


def is_hub(name: str) -> bool:
    """Whether a model's name is an address in the hub."""
    return name.startswith(SCHEME)


def parse(address: str) -> Address:
    """Raises UsageError for what is no address of a model."""
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise UsageError(
            f"{address!r:.200} is no model in the hub: that is hf://owner/name, and behind it @revision and "
            f"/FILE{SUFFIX} where they are needed."
        )
    return Address(match[1], match[2] or "main", match[3])


def download(address: str, largest: int) -> Path:
    """The model file of an address, in the cache, with its card beside it. It has a digest, which is checked when it is
    loaded.

    largest: bytes of a model file, refused before it is fetched. Raises UsageError for what is no address,
    ModelNotFoundError where there is no such model or it cannot be fetched, UnusableModelError for what cannot be one.
    """
    wanted = parse(address)
    of, at = wanted.repository, wanted.revision
    patterns, below = [wanted.file or f"*{SUFFIX}", HUB_CARD], ["*/*"]
    with _speaking(address):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import DryRunError

        with _quiet():
            try:
                coming = snapshot_download(
                    of, revision=at, allow_patterns=patterns, ignore_patterns=below, dry_run=True
                )
            except DryRunError:  # out of reach: then nothing is fetched, and what the cache has was small enough
                coming = []
            for file in coming:
                limit = LARGEST_CARD if file.filename == HUB_CARD else largest
                if file.file_size is None or file.file_size > limit:
                    raise UnusableModelError(f"{address} is too large to be a model: {file.filename:.100}.")
            if coming:
                _the_only(wanted, [file.filename for file in coming])
            folder = Path(snapshot_download(of, revision=at, allow_patterns=patterns, ignore_patterns=below))
    found = sorted(path.name for path in folder.glob(wanted.file or f"*{SUFFIX}"))
    path = folder / _the_only(wanted, found)
    _check_digest(path, address)
    return path


def pinned(address: str, largest: int) -> str:
    """The same model with the commit that it is of now, so that several processes, or machines, take one. Raises as
    `download`."""
    path = download(address, largest)
    return f"{SCHEME}{parse(address).repository}@{path.parent.name}/{path.name}"


def _the_only(wanted: Address, names: list[str]) -> str:
    models = [name for name in names if name.endswith(SUFFIX)]
    place = f"{SCHEME}{wanted.repository}"
    if not models:
        raise ModelNotFoundError(f"{place} has no file {wanted.file or f'of a model, whose name ends in {SUFFIX}'}.")
    if len(models) > 1:
        raise ModelNotFoundError(f"{place} has {len(models)} model files; name one: {place}/{min(models):.100}.")
    return models[0]


def _check_digest(path: Path, address: str) -> None:
    """Raises UnusableModelError for a file without a digest: the first models had none, and damage to their transforms
    may go unnoticed."""
    try:
        with safe_open(path, framework="numpy") as file:
            has_digest = "digest" in (file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise UnusableModelError(f"{address} is not a safetensors file: {str(error).rstrip('.')}.") from None
    if not has_digest:
        raise UnusableModelError(f"{address} carries no digest of its numbers, and is not used without.")


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no log of that library's, which a pipe would see, too."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it exports them lazily
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        logging,
    )

    verbosity, shows_bars = logging.get_verbosity(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            enable_progress_bars()


@contextmanager
def _speaking(address: str) -> Iterator[None]:
    """Makes a sentence of what that library raises."""
    try:
        yield
    except CodecError:
        raise
    except ImportError:
        raise ModelNotFoundError(f"{address} needs an extra: pip install 'imgcodec[hub]'.") from None
    except Exception as error:
        from huggingface_hub import errors

        if isinstance(error, errors.GatedRepoError):
            why = "its owner has to give access to it"
        elif isinstance(error, errors.RepositoryNotFoundError):
            why = "there is no such repository, or it is private and no token for it is set"
        elif isinstance(error, errors.RevisionNotFoundError):
            why = "the repository has no such revision"
        elif isinstance(error, errors.LocalEntryNotFoundError):
            why = "the hub is out of reach, and the cache does not have it"
        else:
            why = " ".join((str(error) or type(error).__name__).split()).rstrip(".")[:300]
        raise ModelNotFoundError(f"{address} cannot be fetched: {why}.") from None
