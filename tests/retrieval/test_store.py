"""Stores: filled on where they were stopped, and never with what does not belong there."""

import hashlib
import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_semantic import pictures, save

from imgcodec import CodecError, InvalidFileError
from imgcodec.bitstream.header import SIGNATURE
from imgcodec.rate_control import OutOfReachError
from imgcodec.retrieval.store import MANIFEST, Made, Store, fill_store, read_store


@contextmanager
def counting(total):
    yield lambda: None


class Maker:
    """Makes files of a picture's bytes, and remembers of which."""

    def __init__(self, stop_after: int = 10**6) -> None:
        self.names: list[str] = []
        self.stop_after = stop_after

    def __call__(self, path: Path, data: bytes) -> Made:
        if len(self.names) == self.stop_after:
            raise KeyboardInterrupt
        if not data.startswith(b"\x89PNG"):
            raise InvalidFileError("It is no picture.")
        self.names.append(path.name)
        return Made(b"nic of " + data, 48, 48, "ab" * 32)


def store(model_id="12" * 8, **settings):
    return Store("small", model_id, "34" * 8, settings)


@pytest.fixture
def source(tmp_path):
    return save(tmp_path / "pictures", pictures(5))


def fill(source, output, make, empty=None, force=False):
    said = []
    return (*fill_store(source, output, empty or store(), lambda: make, force, said.append, counting), said)


def test_a_store_has_a_file_of_each_picture_and_says_so(source, tmp_path):
    (source / "inner").mkdir()
    (source / "00.png").rename(source / "inner" / "01.png")
    found, made, broken, said = fill(source, tmp_path / "store", Maker())
    assert (made, broken, said) == (5, [], [])
    assert read_store(tmp_path / "store") == found
    entry = found.pictures["inner/01.png"]
    assert (tmp_path / "store" / entry.file).read_bytes().startswith(b"nic of \x89PNG")
    assert (entry.width, entry.height, entry.file) == (48, 48, "inner/01.nic")
    assert entry.bytes == (tmp_path / "store" / entry.file).stat().st_size


def test_filling_goes_on_where_it_was_stopped(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fill(source, tmp_path / "store", Maker(stop_after=2))
    assert list(read_store(tmp_path / "store").pictures) == ["00.png", "01.png"]
    again = Maker()
    fill(source, tmp_path / "store", again)
    assert again.names == ["02.png", "03.png", "04.png"]
    whole = tmp_path / "whole"
    fill(source, whole, Maker())
    assert (whole / MANIFEST).read_bytes() == (tmp_path / "store" / MANIFEST).read_bytes()


def test_what_a_killed_run_has_made_is_no_obstacle(source, tmp_path):
    """It has left files behind that its manifest does not list, for that is written now and then."""
    output = tmp_path / "store"

    class Killed(Maker):
        def __call__(self, path, data):
            assert read_store(output) is not None  # from the beginning
            return super().__call__(path, data)

    fill(source, output, Killed())
    (output / "00.nic").write_bytes(SIGNATURE + b" of a run that was killed")
    (output / MANIFEST).write_bytes(store().to_json())
    (output / "01.nic").write_bytes(SIGNATURE)
    for index in (2, 3, 4):
        (output / f"0{index}.nic").unlink()
    assert fill(source, output, Maker())[1] == 5
    (output / MANIFEST).write_bytes(store().to_json())
    (output / "00.nic").write_bytes(b"mine")
    with pytest.raises(CodecError, match="exists already"):
        fill(source, output, Maker())


def test_a_picture_that_does_not_reach_the_target_is_skipped(source, tmp_path):
    class Strict(Maker):
        def __call__(self, path, data):
            if path.name == "02.png":
                raise OutOfReachError(17.0, "99 dB is out of reach.")
            return super().__call__(path, data)

    _, made, broken, said = fill(source, tmp_path / "store", Strict())
    assert (made, broken, said) == (4, ["02.png"], ["Skipped 02.png: 99 dB is out of reach."])


def test_the_digest_is_of_the_bytes_that_were_made_of(source, tmp_path):
    """A picture that is replaced while it is compressed is made again the next time."""

    class Late(Maker):
        def __call__(self, path, data):
            path.write_bytes(data + b"changed")
            return super().__call__(path, data)

    output = tmp_path / "store"
    entry = fill(source, output, Late())[0].pictures["00.png"]
    data = (output / entry.file).read_bytes().removeprefix(b"nic of ")
    assert entry.source_sha256 == hashlib.sha256(data).hexdigest()
    again = Maker()
    fill(source, output, again)
    assert len(again.names) == 5


def test_what_changed_is_made_again_and_nothing_else(source, tmp_path):
    output = tmp_path / "store"
    fill(source, output, Maker())
    save(source, pictures(1, seed=8))  # another 00.png
    (output / "03.nic").write_bytes(b"damaged")
    again = Maker()
    fill(source, output, again)
    assert again.names == ["00.png", "03.png"]
    forced = Maker()
    fill(source, output, forced, force=True)
    assert len(forced.names) == 5


def test_broken_pictures_are_named_and_skipped(source, tmp_path):
    (source / "02.png").write_bytes(b"no picture")
    found, made, broken, said = fill(source, tmp_path / "store", Maker())
    assert (made, broken) == (4, ["02.png"])
    assert said == ["Skipped 02.png: It is no picture."]
    assert "02.png" not in found.pictures


def test_names_that_would_collide_get_files_of_their_own(source, tmp_path):
    for name in ("00.PNG", "00.jpg", "00"):
        (source / name).write_bytes((source / "00.png").read_bytes())
    found, made, *_ = fill(source, tmp_path / "store", Maker())
    assert made == 8
    assert len({entry.file.lower() for entry in found.pictures.values()}) == 8


def test_a_store_inside_of_its_pictures_does_not_eat_itself(source):
    fill(source, source / "store", Maker())
    *_, said = fill(source, source / "store", Maker())
    assert said == []


@pytest.mark.parametrize(
    ("empty", "words"), [(store("99" * 8), "a store of model small"), (store(quality=3), "other settings")]
)
def test_a_store_of_another_kind_is_left_alone(source, tmp_path, empty, words):
    output = tmp_path / "store"
    fill(source, output, Maker())
    before = (output / MANIFEST).read_bytes()
    with pytest.raises(CodecError, match=words):
        fill(source, output, Maker(), empty)
    assert (output / MANIFEST).read_bytes() == before


def test_a_folder_of_other_things_is_no_store(source, tmp_path):
    output = tmp_path / "store"
    output.mkdir()
    (output / "mine.txt").write_text("mine")
    with pytest.raises(CodecError, match="not empty"):
        fill(source, output, Maker())
    assert read_store(output) is None
    (output / "mine.txt").unlink()
    with pytest.raises(CodecError, match="no files"):
        fill(output, tmp_path / "other", Maker())


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content | {"format": "other"},
        lambda content: content | {"pictures": [{}]},
        lambda content: content | {"pictures": 3},
        lambda content: content | {"model_id": "zz"},
        lambda content: content | {"surprise": 1},
        lambda content: content | {"pictures": [content["pictures"][0] | {"file": "../x.nic"}]},
        lambda content: [content],
    ],
)
def test_manifests_that_are_not_sound_are_refused(source, tmp_path, change):
    output = tmp_path / "store"
    fill(source, output, Maker())
    content = change(json.loads((output / MANIFEST).read_text()))
    (output / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match="not the manifest"):
        read_store(output)
