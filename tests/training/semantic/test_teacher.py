"""The teacher, with the weights of its package."""

import pytest
import torch
from small_semantic import pictures

from imgcodec import CodecError
from imgcodec.training.semantic.teacher import DIM, SIDE, Teacher
from imgcodec.training.semantic.views import Views, teach

CPU = torch.device("cpu")


def test_the_teacher_tells_pictures_apart():
    """The real one, with ImageNet's weights: two views of a picture are more alike than two pictures."""
    made = pictures(3, SIDE)
    vectors = teach(Views(made, 2, 1), Teacher(CPU)).float()
    assert vectors.shape == (3, 2, DIM)
    assert torch.allclose(vectors.mean((0, 1)), torch.zeros(DIM), atol=1e-3)
    flat = torch.nn.functional.normalize(vectors.flatten(0, 1), dim=1)
    likeness = flat @ flat.T
    likeness.fill_diagonal_(-1)
    assert (likeness.argmax(1) // 2 == torch.arange(6) // 2).float().mean() > 0.6


def test_without_its_packages_the_teacher_says_what_to_install(monkeypatch):
    monkeypatch.setattr("imgcodec.training.semantic.teacher.find_spec", lambda name: None)
    with pytest.raises(CodecError, match=r"imgcodec\[train\]"):
        Teacher(CPU)
