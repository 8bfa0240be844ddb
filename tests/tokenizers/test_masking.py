"""The part of each channel in the contrast of a block."""

import numpy as np

from imgcodec.tokenizers.masking import contrast


def test_a_channel_counts_as_much_as_it_changes_luma():
    weight = np.zeros((768, 4, 1, 1), np.float32)
    wave = np.tile([1.0, -1.0], 128)
    weight[:, 0, 0, 0] = np.tile(wave, 3)  # gray, of amplitude 1
    weight[256:512, 1, 0, 0] = wave  # green alone
    weight[:, 2] = 1  # no contrast at all
    found = contrast(weight)
    assert found.dtype == np.float32
    assert np.allclose(found, [255**2, (0.587 * 255) ** 2, 0, 0], rtol=1e-5)
