"""Too few addresses for a model are noticed before libraries are."""

import sys

import pytest

from imgcodec import addresses


@pytest.mark.parametrize(("most", "is_refused"), [(None, False), (511, True), (512, False), (100_000, False)])
def test_fewer_than_any_model_needs_are_refused(monkeypatch, most, is_refused):
    monkeypatch.setattr(addresses, "limit", lambda: most)
    if is_refused:
        with pytest.raises(MemoryError, match="511 MiB of addresses"):
            addresses.check_addresses()
    else:
        addresses.check_addresses()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_the_limit_is_that_of_the_process(monkeypatch):
    monkeypatch.setattr(addresses.resource, "getrlimit", lambda _: (300 * 2**20, -1))
    assert addresses.limit() == 300
    monkeypatch.setattr(addresses.resource, "getrlimit", lambda _: (addresses.resource.RLIM_INFINITY, -1))
    assert addresses.limit() is None
