"""What users name becomes pairs of inputs and outputs; what would collide is named, what is done is left out."""

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.bitstream.errors import CodecError, UsageError
from imgcodec.storage import pairs
from imgcodec.storage.pairs import Input, Pair, inputs, is_nic, is_picture, nic_beside, pair, picture_beside, plan

NAMES = st.lists(st.sampled_from(["a", "b", "A", "ü"]), min_size=1, max_size=3).map("/".join)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """photos/a.png, photos/in/b.JPG and things of other kinds, one of them hidden."""
    root = tmp_path / "photos"
    (root / "in").mkdir(parents=True)
    for name in ("a.png", "in/b.JPG", "in/c.txt", ".hidden.png"):
        (root / name).write_bytes(b"content")
    return root


def test_folders_are_walked_where_that_is_asked_and_other_kinds_counted(tree: Path) -> None:
    said: list[str] = []
    found = inputs([str(tree), str(tree / "in" / "c.txt")], True, is_picture, said.append)
    assert [item.name for item in found] == ["a.png", "in/b.JPG", "c.txt"]  # what is named itself is taken
    assert said == [f"{tree}: 1 file of another kind is left alone."]
    assert inputs([str(tree)], False, is_picture, said.append) == [Input(str(tree), "photos")]
    with pytest.raises(CodecError, match="holds nothing of the kind among its 3 files"):
        inputs([str(tree)], True, is_nic, said.append)
    with pytest.raises(UsageError, match="one file alone"):
        inputs(["-", "a.png"], False, is_picture, said.append)


def test_outputs_are_beside_or_mirror_the_tree(tree: Path, tmp_path: Path) -> None:
    given = inputs([str(tree)], True, is_picture, lambda line: None)
    assert [item.output for item in pair(given, None, nic_beside)] == [str(tree / "a.nic"), str(tree / "in" / "b.nic")]
    mirrored = [Path(item.output) for item in pair(given, str(tmp_path / "out"), nic_beside)]
    assert mirrored == [tmp_path / "out" / "a.nic", tmp_path / "out" / "in" / "b.nic"]


def test_addresses_keep_their_form() -> None:
    given = inputs(["s3://bucket/in/a.png"], False, is_picture, lambda line: None)
    assert pair(given, None, nic_beside)[0].output == "s3://bucket/in/a.nic"
    assert pair(given, "gs://other/out/", nic_beside)[0].output == "gs://other/out/a.nic"
    assert picture_beside("https://host/a.nic") == "https://host/a.nic.png"


@given(st.lists(st.tuples(NAMES, st.sampled_from([".png", ".jpg", ".x", ""])), unique=True, max_size=6))
def test_pairs_never_share_an_output(names: list[tuple[str, str]]) -> None:
    """Either all outputs differ, or two inputs are named of which the outputs are one."""
    given = [Input(f"in/{stem}{suffix}", f"{stem}{suffix}") for stem, suffix in names]
    wanted = [os.path.normcase(nic_beside(item.name)) for item in given]
    if len(set(wanted)) == len(wanted):
        assert len({item.output for item in pair(given, "out", nic_beside)}) == len(given)
    else:
        with pytest.raises(UsageError, match="would both become") as caught:
            pair(given, "out", nic_beside)
        named = [item.source for item in given if f"{item.source} " in str(caught.value)]
        assert len(named) >= 2


def test_an_output_that_is_an_input_is_named(tmp_path: Path) -> None:
    given = [Input(str(tmp_path / name), name) for name in ("a.png", "a.nic")]
    with pytest.raises(UsageError, match=r"a\.png would become .*a\.nic, which is itself an input\."):
        pair(given, None, nic_beside)


def test_what_is_done_is_left_out_what_is_older_made_again_and_what_is_foreign_left_alone(tmp_path: Path) -> None:
    names = {"new": None, "done": (b"OURS", 1), "same": (b"OURS", 0), "stale": (b"OURS", -1), "foreign": (b"mine", -1)}
    given = []
    for name, made in names.items():
        (tmp_path / f"{name}.png").write_bytes(b"picture")
        os.utime(tmp_path / f"{name}.png", (10**9, 10**9))
        if made is not None:
            (tmp_path / f"{name}.nic").write_bytes(made[0])
            os.utime(tmp_path / f"{name}.nic", (10**9 + made[1], 10**9 + made[1]))
        given.append(Input(str(tmp_path / f"{name}.png"), f"{name}.png"))

    def stems(some: list[Pair]) -> list[str]:
        return [Path(item.source).stem for item in some]

    todo = plan(pair(given, None, nic_beside), False, b"OURS")
    assert (stems(todo.todo), stems(todo.done), stems(todo.blocked)) == (
        ["new", "stale"],
        ["done", "same"],
        ["foreign"],
    )
    assert [item.replace for item in todo.todo] == [False, True]
    (tmp_path / "done.png").rename(tmp_path / "elsewhere.png")  # a file that is not there is not done, but an error
    assert "done" in stems(plan(pair(given, None, nic_beside), False, b"OURS").todo)
    forced = plan(pair(given, None, nic_beside), True, b"OURS")
    assert (stems(forced.todo), forced.done, forced.blocked) == (list(names), [], [])


def test_outputs_get_the_time_of_their_input_and_the_usual_mode(tmp_path: Path) -> None:
    source, output = tmp_path / "a.png", tmp_path / "new" / "folder" / "a.nic"
    source.write_bytes(b"picture")
    os.utime(source, ns=(10**18, 10**18 + 123_456_789))
    (item,) = plan([Pair(str(source), str(output))], False, b"OURS").todo
    source.write_bytes(b"changed meanwhile")  # the output is older than that, and so not done
    pairs.write(item, b"data")
    assert output.read_bytes() == b"data"
    assert output.stat().st_mtime_ns == 10**18 + 123_456_789
    assert plan([Pair(str(source), str(output))], True, b"OURS").todo == [
        replace(item, replace=True, time=source.stat().st_mtime_ns)
    ]
    assert stat.S_IMODE(output.stat().st_mode) & 0o400
    with pytest.raises(CodecError, match="exists already"):
        pairs.write(Pair(str(source), str(output)), b"other")


def test_an_address_that_is_refused_fails_when_it_is_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str) -> None:
        if "b.png" in address:
            raise CodecError(f"{address} cannot be read: 403 Forbidden.")

    monkeypatch.setattr("imgcodec.storage.remote._info", refuse)
    wanted = [Pair(f"memory://b/{name}.png", f"memory://b/{name}.nic") for name in "ab"]
    assert [item.source for item in plan(wanted, False, b"OURS").todo] == [item.source for item in wanted]
    assert pairs.sizes_of([item.source for item in wanted]) == [0, 0]


def test_services_are_asked_for_several_files_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one after another the first would wait for the others."""
    together = threading.Barrier(4, timeout=30)
    times = {f"memory://b/{name}": time for name, time in (("a.png", 5), ("a.nic", 5), ("b.png", 5), ("c.png", 1))}

    def modified(address: str) -> int | None:
        together.wait()
        return times.get(address)

    monkeypatch.setattr("imgcodec.storage.remote.modified", modified)
    wanted = [Pair(f"memory://b/{name}.png", f"memory://b/{name}.nic") for name in "abcd"]
    found = plan(wanted, False, b"NIC")
    assert found.done == wanted[:1]
    assert [item.source for item in found.todo] == [item.source for item in wanted[1:]]
