"""Models as a repository of the Hugging Face hub holds them: the model file and its card, and nothing else."""

import re
from pathlib import Path

from imgcodec.bitstream.errors import UnusableModelError, UsageError
from imgcodec.model_file.card import HUB_CARD, hub_card
from imgcodec.model_file.find import LARGEST_FILE
from imgcodec.model_file.hub import SUFFIX
from imgcodec.model_file.inventory import Facts
from imgcodec.storage import files, folders

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_WRITTEN = re.compile(rf"{re.escape(HUB_CARD)}|.+{re.escape(SUFFIX)}")


def export_model(model: Facts, folder: Path, license: str | None, force: bool) -> str | None:
    """Writes a folder with the file of a model, byte for byte, and its card as README.md, whole or not at all. Returns
    the licence in the card; None where there is none.

    license: as the hub names it, such as apache-2.0; None for that of the model's card. Raises UsageError for what is
    no such name, UnusableModelError for a model without a digest, and as `folders.whole_folder`.
    """
    if license is not None and not _LICENSE.fullmatch(license):
        raise UsageError(f"A licence is named as the hub names it, such as apache-2.0, and not {license!r:.100}.")
    if not model.has_digest:
        raise UnusableModelError(f"{model.path.name} carries no digest of its numbers, and is not used from the hub.")
    license = license or model.card.license
    facts = {
        "id": f"`{model.id}`",
        "profile": model.profile,
        **{f"numbers of the {part}": f"{count}" for part, count in model.parameters.items()},
        "file": f"{model.bytes} bytes, safetensors",
    }
    data = files.read(model.path, LARGEST_FILE)
    with folders.whole_folder(folder, force, _WRITTEN) as made:
        files.write(made / model.path.name, data)
        files.write(made / HUB_CARD, hub_card(model.name, model.card, facts, license).encode())
    return license
