"""The nearest of many vectors, by NumPy and by faiss."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgcodec.retrieval import index as indexing
from imgcodec.retrieval.index import Index


def index(count, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return Index(tuple(map(str, range(count))), vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture(params=["numpy", "faiss"])
def library(request, monkeypatch):
    if request.param == "faiss":
        pytest.importorskip("faiss")
    monkeypatch.setattr(indexing, "find_spec", lambda name: find_spec(name) if request.param == "faiss" else None)


@pytest.mark.usefixtures("library")
@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 99))
def test_the_nearest_come_first_and_each_picture_finds_itself(count, k, seed):
    made = index(count, seed)
    query = made.vectors[seed % count]
    found = made.nearest(query, k)
    assert len(found) == min(k, count)
    assert found[0][0] == str(seed % count)
    cosines = [cosine for _, cosine in found]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] == pytest.approx(1, abs=1e-5)
    assert cosines[0] <= 1
    expected = np.sort(made.vectors @ query)[::-1][: len(found)]
    assert np.allclose(cosines, expected, atol=1e-5)
