"""Work on a Ray cluster of this machine, where Ray is installed. benchmarks/scale.py has it on 200 pictures."""

import os
import signal
from pathlib import Path

import pytest
from in_process import invoke, invoke_silent
from PIL import Image

from imgcodec.bitstream.errors import CodecError, ModelNotFoundError
from imgcodec.cluster import RETRY, TRIES, working_through_on_ray

TINY = str(Path(__file__).parent / "golden" / "tiny.safetensors")


@pytest.fixture(scope="module")
def ray():
    """A cluster of two processors, for all tests: to start one takes seconds."""
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = RETRY  # which Ray reads when it is imported
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight pictures in two folders, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    for index in range(8):
        path = tmp_path / "in" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").resize((40 + index, 30)).save(path)
    (tmp_path / "in" / "bad.png").write_text("no picture")
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and times of files, by their names."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_are_those_of_one_process_and_what_is_done_is_left_out(ray, pictures: Path) -> None:
    code, _ = invoke_silent("compress", "in", "-r", "-o", "one", "--model", TINY)
    assert code == 1
    wanted = contents(Path("one"))
    assert len(wanted) == 8
    for _ in range(2):  # relative names, for actors work in the same folder
        code, complained = invoke_silent("compress", "in", "--engine", "ray", "-j", "2", "-o", "many", "--model", TINY)
        assert code == 1
        assert complained.splitlines()[-1].startswith("imgcodec: in/bad.png is not an image")
        assert contents(Path("many")) == wanted
        for name in ("a/0.nic", "b/3.nic"):
            Path("many", name).unlink()
    assert "2 files made" in complained
    assert "6 done already; 1 failed" in complained


def test_a_killed_actor_is_replaced_and_loses_nothing(ray, tmp_path: Path) -> None:
    def open_task():
        def task(item: int) -> int:
            mark = tmp_path / f"{item}"
            if item == 3 or (item == 5 and not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if item == 6:
                raise ValueError("six")
            return item * item

        return task

    with working_through_on_ray(open_task, range(10), 2) as outcomes:
        found = {outcome.item: outcome for outcome in outcomes}
    assert sorted(found) == list(range(10))
    assert [found[item].result for item in (0, 5, 9)] == [0, 25, 81]
    assert str(found[3].error) == f"The {TRIES} processes that worked on it were killed."
    assert str(found[6].error) == "ValueError: six"


def test_a_model_that_cannot_be_loaded_ends_it(ray, pictures: Path) -> None:
    code, complained = invoke_silent("compress", "in", "--engine", "ray", "-o", "out", "--model", "nothing")
    assert (code, complained.count("\n")) == (ModelNotFoundError.exit_code, 1)
    assert "The model 'nothing' is not installed" in complained


def test_an_output_of_an_earlier_try_is_written_again(tiny_codec, pictures: Path) -> None:
    """The actor was killed after it had written: that is no file of somebody else's."""
    from imgcodec.storage.pairs import Pair
    from imgcodec.tasks.compress import CompressSettings, open_repeatable

    task = open_repeatable(CompressSettings(TINY))
    item = Pair("in/a/0.png", "out/0.nic", time=os.stat("in/a/0.png").st_mtime_ns)
    task(item)
    before = contents(Path("out"))
    task(item)
    assert contents(Path("out")) == before
    Path("out/0.nic").write_bytes(b"mine")
    with pytest.raises(CodecError, match="exists already"):
        task(item)


def test_nothing_to_do_needs_no_cluster() -> None:
    with working_through_on_ray(lambda: lambda item: item, [], 2) as outcomes:
        assert list(outcomes) == []


def test_without_the_extra_it_says_what_to_install(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    code, _, complained = invoke("compress", "in", "--engine", "ray", "-o", "out", "--model", TINY)
    assert (code, complained) == (1, "imgcodec: The engine ray needs an extra: pip install 'imgcodec[ray]'.\n")
    code, complained = invoke_silent("compress", "in", "--engine", "spark", "-o", "out")
    assert (code, complained) == (2, "imgcodec: There is no engine 'spark'; engines are auto, onnx, torch and ray.\n")
