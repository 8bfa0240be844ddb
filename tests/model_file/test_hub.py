"""Models in the hub: fetched from a server on this machine that speaks its API, by the library that speaks it, too."""

from pathlib import Path

import pytest
from hub_server import Hub, serving
from in_process import invoke, invoke_silent
from PIL import Image
from raster_models import small_model

from imgcodec.bitstream.errors import ModelNotFoundError, UnusableModelError, UsageError
from imgcodec.model_file import hub as hub_module
from imgcodec.model_file.find import find_model, pinned
from imgcodec.model_file.hub import Address, parse
from imgcodec.model_file.model import open_model, save_model

huggingface_hub = pytest.importorskip("huggingface_hub")

GOLDEN = Path(__file__).parents[1] / "golden"
CARD = b"---\nlicense: mit\nlibrary_name: imgcodec\n---\n\n# `small`, for tests\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a small model with a digest."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_model(path, *small_model("bsq", "raster"))
    return path.read_bytes()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty hub, and an empty cache."""
    from huggingface_hub import constants

    with serving() as made:
        # what that library makes of HF_ENDPOINT and HF_HOME when it is imported
        monkeypatch.setattr(constants, "ENDPOINT", made.address)
        template = f"{made.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield made


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf://me/mine", ("me/mine", "main", None)),
        ("hf://me/mine@v1.0", ("me/mine", "v1.0", None)),
        ("hf://me/mine@refs/pr/1/a.safetensors", ("me/mine", "refs/pr/1", "a.safetensors")),
        ("hf://a.b/c-d/a.safetensors", ("a.b/c-d", "main", "a.safetensors")),
    ],
)
def test_addresses(address: str, parts: tuple[str, str, str | None]) -> None:
    assert parse(address) == Address(*parts)


@pytest.mark.parametrize("rest", ["", "me", "me/mine/a.bin", "../..", "me/mine/../a.safetensors", "me/mine@", "me/*"])
def test_what_is_no_address(rest: str) -> None:
    with pytest.raises(UsageError, match="is no model in the hub"):
        find_model(f"hf://{rest}")


def test_a_model_is_fetched_once(hub: Hub, small: bytes) -> None:
    commit = hub.commit(
        "me/mine", small_dot_safetensors=small, README_dot_md=CARD, other_dot_bin=b"no business of ours"
    )
    path = find_model("hf://me/mine")
    assert (path.name, path.read_bytes()) == ("small.safetensors", small)
    assert path.with_name("README.md").read_bytes() == CARD
    assert not any("other.bin" in request for request in hub.requests if "/resolve/" in request)
    hub.requests.clear()
    assert find_model(f"hf://me/mine@{commit}/small.safetensors") == path
    assert hub.requests == []  # a commit never changes
    assert find_model("hf://me/mine") == path
    assert not any("/resolve/" in request for request in hub.requests)


def test_a_new_commit_is_fetched_and_a_pinned_one_stays(hub: Hub, small: bytes) -> None:
    first = hub.commit("me/mine", small_dot_safetensors=small)
    name = pinned("hf://me/mine")
    assert name == f"hf://me/mine@{first}/small.safetensors"
    second = hub.commit("me/mine", large_dot_safetensors=small)
    assert find_model("hf://me/mine").name == "large.safetensors"
    assert find_model(name).name == "small.safetensors"
    assert pinned("hf://me/mine") == f"hf://me/mine@{second}/large.safetensors"
    assert pinned("photo") == "photo"


def test_without_a_network_the_cache_is_taken(hub: Hub, small: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.commit("me/mine", small_dot_safetensors=small)
    path = find_model("hf://me/mine")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert find_model("hf://me/mine") == path
    with pytest.raises(ModelNotFoundError, match="the hub is out of reach, and the cache does not have it"):
        find_model("hf://me/other")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("hf://me/none", "there is no such repository, or it is private"),
        ("hf://me/mine@v2", "the repository has no such revision"),
        ("hf://me/mine/b.safetensors", "hf://me/mine has no file b.safetensors"),
        ("hf://me/two", "has 2 model files; name one: hf://me/two/a.safetensors"),
        ("hf://me/text", "has no file of a model"),
    ],
)
def test_what_is_not_there(hub: Hub, small: bytes, address: str, words: str) -> None:
    hub.commit("me/mine", small_dot_safetensors=small)
    hub.commit("me/two", a_dot_safetensors=small, b_dot_safetensors=small)
    hub.commit("me/text", README_dot_md=CARD)
    with pytest.raises(ModelNotFoundError, match=words):
        find_model(address)


def test_too_large_a_file_is_refused_before_it_is_fetched(hub: Hub, small: bytes) -> None:
    hub.commit("me/mine", small_dot_safetensors=small)
    hub.stated["small.safetensors"] = 2**28 + 1
    with pytest.raises(UnusableModelError, match="is too large to be a model"):
        find_model("hf://me/mine")
    assert not any(request.startswith("GET") and "/resolve/" in request for request in hub.requests)


def test_pickles_are_not_fetched_and_other_files_are_no_models(hub: Hub, small: bytes) -> None:
    hub.commit("me/pickle", pytorch_model_dot_bin=b"\x80\x04.", config_dot_json=b"{}")
    with pytest.raises(ModelNotFoundError, match="has no file of a model"):
        find_model("hf://me/pickle")
    assert not any("/resolve/" in request for request in hub.requests)
    hub.commit("me/pickle", model_dot_safetensors=b"\x80\x04.")
    with pytest.raises(UnusableModelError, match="is not a safetensors file"):
        find_model("hf://me/pickle")


def test_the_digest_is_checked(hub: Hub, small: bytes, tmp_path: Path) -> None:
    hub.commit("me/old", tiny_dot_safetensors=(GOLDEN / "tiny.safetensors").read_bytes())
    with pytest.raises(UnusableModelError, match="carries no digest of its numbers"):
        find_model("hf://me/old")
    hub.commit("me/mine", small_dot_safetensors=small[:-1] + bytes([small[-1] ^ 1]))
    with pytest.raises(UnusableModelError, match="is damaged, its numbers are not those that it was saved with"):
        open_model("hf://me/mine")


def test_files_are_made_and_read_by_a_model_of_the_hub(hub, small, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    hub.commit("me/mine", small_dot_safetensors=small, README_dot_md=CARD)
    Image.linear_gradient("L").resize((64, 48)).save("a.png")
    assert invoke("compress", "a.png", "--model", "hf://me/mine")[0] == 0
    code, complained = invoke_silent("decompress", "a.nic")
    assert (code, "pass its weights with --model, by path or as hf://owner/name" in complained) == (4, True)
    assert invoke_silent("decompress", "a.nic", "--model", "hf://me/mine") == (0, "")
    code, told, complained = invoke("models", "show", "hf://me/mine")
    assert (code, complained) == (0, "")
    assert "what it is for        for tests\n" in told
    code, complained = invoke_silent("compress", "a.png", "--model", "hf://me/none", "-f")
    assert (code, complained.count("\n")) == (4, 1)
    assert capfd.readouterr() == ("", "")  # no bars and no log of the library's


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ModelNotFoundError, match=r"needs an extra: pip install 'imgcodec\[hub\]'\."):
        hub_module.download("hf://me/mine", 2**28)
