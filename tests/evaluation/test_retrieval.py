"""Recall of changed pictures."""

import numpy as np
import pytest
from small_semantic import pictures

from imgcodec.codec import load_codec
from imgcodec.evaluation.retrieval import QUERIES, recall, retrieval


def test_recall_counts_the_right_ones_among_the_nearest():
    likeness = np.array([[9, 1, 2, 3, 4, 5, 6], *([[0.0] * 7] * 6)])
    likeness[1, :5] = [5, 4, 1, 1, 1]  # picture 1 is second
    assert recall(likeness) == {"recall@1": pytest.approx(1 / 7), "recall@5": pytest.approx(2 / 7)}
    assert recall(np.eye(6)) == {"recall@1": 1, "recall@5": 1}
    assert recall(np.zeros((6, 6)))["recall@1"] == 0  # who can't tell pictures apart finds none


@pytest.mark.parametrize("name", QUERIES)
def test_queries_are_pictures_that_differ_from_theirs(name):
    pixels = pictures(1)[0]
    changed = QUERIES[name](pixels)
    assert changed.dtype == np.uint8
    assert changed.shape == ((34, 34, 3) if name == "crop" else pixels.shape)
    assert not np.array_equal(changed, pixels)


def test_a_model_finds_what_a_jpeg_shows(semantic_path):
    found = retrieval(load_codec(semantic_path), pictures(10))
    assert found.keys() == {*QUERIES, "all"}
    assert found["jpeg"]["recall@1"] == found["jpeg"]["float recall@1"] == 1
    mean = np.mean([found[name]["recall@5"] for name in QUERIES])
    assert found["all"]["recall@5"] == pytest.approx(mean)
