"""Views of photographs: the same ones for a seed."""

import numpy as np
from small_semantic import pictures

from imgcodec.training.semantic.views import Views, augmented, random_part


def test_other_views_have_another_digest():
    made = pictures(3, 60)
    views = Views(made, 4, 7)
    assert views.digest() == Views([p.copy() for p in made], 4, 7).digest()
    changed = made[1].copy()
    changed[-1, -1, -1] ^= 1
    others = [
        Views(made, 4, 8), Views(made, 3, 7), Views(made[::-1], 4, 7), Views(made[:2], 4, 7),
        Views([made[0], changed, made[2]], 4, 7), Views([made[0], made[1].reshape(30, 120, 3), made[2]], 4, 7),
    ]  # fmt: skip
    assert len({v.digest() for v in (views, *others)}) == 1 + len(others)


def test_views_are_the_same_for_a_seed_and_parts_of_their_photograph():
    made = [*pictures(3, 60), *pictures(2, 90)]
    views = Views(made, 4, 7)
    assert views.view(1, 0) is made[1]
    assert np.array_equal(views.view(3, 2), Views(made, 4, 7).view(3, 2))
    assert views.view(3, 2).shape != Views(made, 4, 8).view(3, 2).shape
    drawn = [views.draw(5, step, 0) for step in range(20)]
    assert all(sorted(p for p, _ in d) == [0, 1, 2, 3, 4] for d in drawn)
    assert {v for d in drawn for _, v in d} == {0, 1, 2, 3}
    assert len(views.draw(9, 0, 0)) == 9
    rng = np.random.default_rng(0)
    for _ in range(50):
        part = random_part(made[4], 0.3, rng)
        assert 0.25 * 8100 < part.shape[0] * part.shape[1] <= 8100
        assert augmented(part, rng).shape == (128, 128, 3)
