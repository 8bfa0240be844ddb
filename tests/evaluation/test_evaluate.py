"""A model on a set of pictures."""

import numpy as np
import pytest

from imgcodec import UsageError
from imgcodec.evaluation import similarity
from imgcodec.evaluation.evaluate import EvaluateSettings, evaluate, means, open_evaluator


def test_bytes_and_figures_are_those_of_the_files():
    pictures = [("a", np.zeros((10, 20, 3), np.uint8)), ("b", np.full((5, 5, 3), 7, np.uint8))]
    files = {"a": b"12345", "b": b"1"}
    metrics = {"mean": lambda original, decoded: float(decoded.mean()), "big": lambda o, d: 3.0 if len(o) > 5 else None}
    found = evaluate(pictures, lambda name, _: files[name], lambda data: np.full((2, 2, 3), len(data)), metrics)
    assert [(p.name, p.bytes, p.width, p.height) for p in found] == [("a", 5, 20, 10), ("b", 1, 5, 5)]
    assert found[0].bpp == pytest.approx(40 / 200)
    assert found[1].figures == {"mean": 1.0, "big": None}
    assert means(found) == {"bytes": 3, "bpp": pytest.approx((0.2 + 8 / 25) / 2), "mean": 3, "big": 3}
    assert "big" not in means(found[1:])


def test_the_weights_of_the_metric_clip_are_where_features_says(semantic_path, monkeypatch):
    asked = []
    monkeypatch.setattr(similarity, "clip_encoder", asked.append)
    for features in ("open_clip:ViT-B-32/here.pt", None):
        opened = open_evaluator(EvaluateSettings(str(semantic_path), ["psnr", "clip"], features=features))
        assert list(opened.metrics) == ["psnr", "clip"]
    assert asked == ["open_clip:ViT-B-32/here.pt", similarity.DEFAULT_CLIP]
    with pytest.raises(UsageError, match="encoder of its own"):
        open_evaluator(EvaluateSettings(str(semantic_path), ["psnr"], features="open_clip:ViT-B-32/here.pt"))


def test_features_of_another_kind_are_refused(semantic_path):
    with pytest.raises(UsageError, match="Features are open_clip:MODEL/WEIGHTS"):
        open_evaluator(EvaluateSettings(str(semantic_path), ["clip"], features="clip"))
