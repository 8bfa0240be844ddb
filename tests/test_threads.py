"""Several threads with one model give what one thread gives, and leave PyTorch as it was."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import torch
from made_pictures import PHOTOGRAPH
from PIL import Image

from imgcodec.priors.integer import exact


def test_one_model_in_many_threads(tiny_model):
    pixels = np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))
    jobs = [(pixels[i * 20 : i * 20 + 70 + 9 * i, i * 40 : i * 40 + 90], {"quality": 12.5 * i}) for i in range(8)]
    tiny_model._codec.photo.tables._models.clear()  # so that the threads have to make them at the same time
    start = Barrier(4)

    def work(number):
        start.wait()
        order = np.random.default_rng(number).permutation(len(jobs))
        done = {}
        for index in order:
            data = tiny_model.compress(jobs[index][0], **jobs[index][1])
            done[int(index)] = data, np.asarray(tiny_model.decompress(data)), tiny_model.read_tokens(data).sha256()
        return done

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(work, range(4)))
    expected = work_alone(tiny_model, jobs)
    for result in results:
        for index, (data, picture, tokens) in result.items():
            assert data == expected[index][0]
            assert tokens == expected[index][2]
            assert np.array_equal(picture, expected[index][1])


def work_alone(model, jobs):
    files = [model.compress(pixels, **options) for pixels, options in jobs]
    return [(data, np.asarray(model.decompress(data)), model.read_tokens(data).sha256()) for data in files]


def test_strict_settings_last_as_long_as_any_thread_needs_them():
    settings = exact._precision_settings()
    place, name, strict = settings[0]
    before = getattr(place, name)
    asked = "tf32" if name == "fp32_precision" else True
    setattr(place, name, asked)
    try:
        first, second = exact.exact_arithmetic(), exact.exact_arithmetic()
        with ThreadPoolExecutor(1) as other:
            first.__enter__()
            other.submit(second.__enter__).result()
            first.__exit__(None, None, None)
            assert getattr(place, name) == strict, "the other thread is still inside"
            assert not torch.is_inference_mode_enabled()
            other.submit(second.__exit__, None, None, None).result()
        assert getattr(place, name) == asked
    finally:
        setattr(place, name, before)
