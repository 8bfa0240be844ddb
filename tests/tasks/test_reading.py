"""Files as commands read them, and the model that each asks for."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imgcodec.bitstream import container
from imgcodec.bitstream.errors import InvalidFileError, ModelNotFoundError
from imgcodec.bitstream.limits import DEFAULT_LIMITS
from imgcodec.model_file.find import find_model, id_of_file, version_of
from imgcodec.tasks.reading import Models, read_nic

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_file_is_decoded_by_the_model_that_it_names_unless_another_is_named() -> None:
    header = container.read((GOLDEN / "odd-size.nic").read_bytes()).header
    named = Models(str(GOLDEN / "tiny.safetensors"))
    assert named.of(header).id == header.codebook_id
    assert named.of(header) is named.of(header)
    with pytest.raises(ModelNotFoundError, match=header.codebook_id.hex()):
        Models().of(header)
    installed_id = id_of_file(version_of(find_model("bsq")))
    assert Models().of(replace(header, codebook_id=installed_id)).name == "bsq"


def test_errors_have_the_name_of_the_file_and_a_picture_is_told_from_damage(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    with pytest.raises(InvalidFileError, match=r"a\.png is a picture, not a \.nic file; imgcodec compress makes one"):
        read_nic(str(tmp_path / "a.png"), DEFAULT_LIMITS, container.read)
    (tmp_path / "cut.nic").write_bytes((GOLDEN / "odd-size.nic").read_bytes()[:60])
    with pytest.raises(InvalidFileError, match=r"cut\.nic: The file "):
        read_nic(str(tmp_path / "cut.nic"), DEFAULT_LIMITS, container.read)
