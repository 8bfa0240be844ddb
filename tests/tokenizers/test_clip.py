"""CLIP features: the real loading code on a tiny random model, where open_clip is installed; refusals everywhere."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_semantic import DECODER, pictures, save

from imgcodec import CodecError, UsageError
from imgcodec.tokenizers import clip
from imgcodec.tokenizers.clip import ClipConfig, ClipEncoder, clip_config, clip_encoder, open_clip_model, parse_features

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> str:
    """The path of a checkpoint of `tiny-test`, a model that open_clip is told of."""
    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("clip")
    (folder / "tiny-test.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("tiny-test").state_dict(), folder / "tiny.pt")
    return str(folder / "tiny.pt")


def test_pictures_and_texts_become_unit_vectors_of_one_length(checkpoint):
    encoder = clip_encoder(f"open_clip:tiny-test/{checkpoint}")
    config = encoder.config
    assert (config.dim, config.side, len(config.digest)) == (32, 32, 16)
    vector = encoder(torch.rand(2, 3, 32, 32))
    assert vector.shape == (2, 32)
    assert torch.allclose(torch.cat([vector, encoder.text("a red boat")]).norm(dim=1), torch.ones(3), atol=1e-5)
    assert encoder.thumbnail(vector) is None
    assert not encoder.state_dict()  # its weights are no part of a model file


def test_other_weights_are_noticed(checkpoint, tmp_path):
    config = clip_config(f"open_clip:tiny-test/{checkpoint}")
    wrong = ClipEncoder(replace(config, digest="0" * 16))
    with pytest.raises(CodecError, match="say where the weights are, as --features open_clip:tiny-test/"):
        wrong(torch.rand(1, 3, 32, 32))
    wrong.weights = checkpoint
    with pytest.raises(CodecError, match="not the weights of tiny-test that the model was made with"):
        wrong(torch.rand(1, 3, 32, 32))
    (tmp_path / "wrong.pt").write_bytes(b"no checkpoint")
    with pytest.raises(CodecError, match=r"wrong.pt is not a checkpoint of tiny-test"):
        clip_config(f"open_clip:tiny-test/{tmp_path / 'wrong.pt'}")
    with pytest.raises(CodecError, match="is not a checkpoint of RN50"):
        clip_config(f"open_clip:RN50/{checkpoint}")


def test_models_and_weights_that_open_clip_does_not_have(checkpoint):
    with pytest.raises(UsageError, match="no model 'nothing' in open_clip"):
        open_clip_model("nothing", "x")
    with pytest.raises(CodecError, match="neither a file nor the name of weights"):
        open_clip_model("tiny-test", "x")


def test_without_a_network_the_message_names_the_file(checkpoint, monkeypatch):
    import open_clip

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(open_clip, "create_model", refuse)
    with pytest.raises(
        CodecError, match=r"get open_clip_model.safetensors of laion.* --features open_clip:ViT-B-32/FILE"
    ):
        open_clip_model("ViT-B-32", "laion2b_s34b_b79k")


def test_a_model_of_clip_features_is_trained_stored_and_searched_by_text(checkpoint, tmp_path, monkeypatch):
    from in_process import invoke
    from small_semantic import PHASE, table

    monkeypatch.chdir(tmp_path)
    save(tmp_path / "data", pictures(12))
    recipe = [
        'profile = "semantic"', "crop = 32", "batch = 4", "views = 2", "layout_bytes = 10", "meaning_bytes = 10",
        f"features = 'open_clip:tiny-test/{checkpoint}'", f"decoder = {table(DECODER | {'map_channels': 4})}",
        "[[phases]]", 'name = "decoder"', 'trains = "decoder"', PHASE,
    ]  # fmt: skip
    (tmp_path / "clip.toml").write_text("\n".join(recipe) + "\n")
    assert invoke("train", "clip.toml", "--data", "data", "-o", "run")[0] == 0
    model = "run/semantic.safetensors"
    code, _, err = invoke("compress", "data/00.png", "-o", "x.nic", "--model", model)
    assert (code, err.count("\n")) == (1, 1)
    assert "say where the weights are" in err
    features = f"open_clip:tiny-test/{checkpoint}"
    assert invoke("compress", "data", "-o", "store", "--model", model, "--features", features)[0] == 0
    query = ["--text", "a red boat", "-k", "3", "--model", model, "--features", features]
    code, out, _ = invoke("search", "store", *query)
    assert (code, len(out.splitlines())) == (0, 3)
    code, out, _ = invoke("search", "store", "data/03.png", "-k", "1", "--model", model, "--features", features)
    assert (code, out.split()[1]) == (0, "03.png")
    code, _, err = invoke("search", "store", "data/03.png", "--model", model, "--features", "open_clip:RN50/x")
    assert (code, err.count("\n")) == (2, 1)
    assert "takes the 32 features of tiny-test, not those of RN50" in err
    assert invoke("decompress", "store/00.nic", "-o", "a.png", "--model", model, "--steps", "2")[0] == 0


@pytest.mark.parametrize("features", ["", "ViT-B-32/x", "open_clip:", "open_clip:ViT-B-32", "open_clip:/x"])
def test_features_are_named_in_one_way(features):
    with pytest.raises(UsageError, match="open_clip:MODEL/WEIGHTS"):
        parse_features(features)


def test_a_path_may_have_any_number_of_slashes():
    assert parse_features("open_clip:ViT-B-32//a/b.pt") == ("ViT-B-32", "/a/b.pt")


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setattr(clip, "find_spec", lambda name: None)
    with pytest.raises(CodecError, match=r"imgcodec\[clip\]"):
        clip_encoder("open_clip:ViT-B-32/x")
    assert np.allclose(ClipEncoder(ClipConfig("ViT-B-32", "x")).search_vector(torch.ones(1, 4)).numpy(), 0.5)
