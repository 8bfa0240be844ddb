"""Both fuzz targets on some hundred files that hypothesis makes: the long runs are those of `run.py`."""

from random import Random

import pytest
from fuzz import structure
from fuzz.corpus import OTHER_PROFILES, exact_seeds, seeds
from fuzz.targets import TARGETS, decode, read_container, read_exact
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = dict(seeds())
EXACT_SEEDS = dict(exact_seeds())


def relatives() -> st.SearchStrategy[bytes]:
    """Files of the corpus with their structure changed."""
    changed = st.builds(structure.mutate, st.sampled_from(list(SEEDS.values())), st.randoms(use_true_random=False))
    return st.one_of(changed, changed.flatmap(damaged))


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """The same bytes with a piece replaced."""
    piece = st.tuples(st.integers(0, max(0, len(data) - 1)), st.integers(0, 4), st.binary(max_size=6))
    return piece.map(lambda cut: data[: cut[0]] + cut[2] + data[cut[0] + cut[1] :])


@settings(max_examples=500)
@given(relatives())
def test_the_container_reader_keeps_its_promises(data):
    read_container(data)


@settings(max_examples=100)
@given(relatives())
def test_the_whole_decoder_keeps_its_promises(data):
    decode(data)


@settings(max_examples=200)
@given(st.builds(structure.mutate_exact, st.sampled_from(list(EXACT_SEEDS.values())), st.randoms()))
def test_exact_pixels_of_any_bytes_are_samples_or_one_error(data):
    read_exact(data)


def test_seeds_of_exact_pixels_decode_and_some_of_their_relatives_do():
    assert all(map(read_exact, EXACT_SEEDS.values()))
    random, seeds = Random(1), list(EXACT_SEEDS.values())
    assert sum(read_exact(structure.mutate_exact(random.choice(seeds), random)) for _ in range(200)) > 20


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_get_as_far_as_they_should(name):
    """Seeds that are refused at the door would be seeds of nothing."""
    assert read_container(SEEDS[name]) == (name != "unknown-critical")
    refused = {"unknown-critical", "no-stages", *(f"profile-{number}" for number in OTHER_PROFILES)}
    assert decode(SEEDS[name]) == (name not in refused)


@pytest.mark.parametrize("name", SEEDS)
def test_taking_a_file_apart_and_putting_it_together_changes_nothing(name):
    assert structure.put_together(structure.take_apart(SEEDS[name])) == SEEDS[name]


def test_mending_repairs_every_checksum():
    data = SEEDS["odd-size"]
    for at in range(9, len(data)):
        changed = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        if structure.take_apart(changed).tail == b"":
            assert structure.mend(structure.mend(changed)) == structure.mend(changed)
    broken = bytearray(data)
    broken[-1] ^= 1
    assert not TARGETS["container"](bytes(broken[:8]))
    assert structure.mend(bytes(broken)) == data


def test_mutations_get_past_the_checksums():
    """Otherwise the fuzzer would test nothing but the checksum."""
    random = Random(1)
    mutants = [structure.mutate(random.choice(list(SEEDS.values())), random) for _ in range(300)]
    assert sum(map(read_container, mutants)) > 100
