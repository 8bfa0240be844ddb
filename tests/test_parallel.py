"""Parts side by side: in order, a few at a time, and none left running."""

import signal
import threading
import time

import pytest

from imgcodec.parallel import AHEAD, MOST, Threads, side_by_side


def engine(count, given=None):
    """An engine of so many threads. given: gets what each thread that takes one is given."""
    return Threads(lambda: count, lambda before: given.append(before) if given is not None else None)


def nothing_runs():
    return not any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate())


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_results_come_in_order_whatever_the_number_of_threads(count):
    def work(item):
        time.sleep(0.02 / (1 + item))  # the first takes longest
        return item * item

    assert list(side_by_side(work, range(20), engine(count))) == [item * item for item in range(20)]
    assert list(side_by_side(work, [], engine(count))) == []
    assert nothing_runs()


@pytest.mark.parametrize(("count", "items", "workers"), [(2, 9, 2), (3, 2, 2), (64, 40, MOST)])
def test_each_thread_takes_one_item_at_a_time_and_is_told_how_many_there_were(count, items, workers):
    given, all_work = [], threading.Barrier(workers)

    def work(item):
        if item < workers:
            all_work.wait(60)
        return threading.current_thread()

    found = set(side_by_side(work, range(items), engine(count, given)))
    assert len(found) == workers
    assert given == [count] * workers
    assert threading.current_thread() not in found


@pytest.mark.parametrize(("count", "items"), [(1, 5), (8, 1)])
def test_one_thread_and_one_item_stay_with_the_caller(count, items):
    given = []
    here = list(side_by_side(lambda item: threading.current_thread(), range(items), engine(count, given)))
    assert here == [threading.current_thread()] * items
    assert not given


def test_nothing_is_done_before_it_is_asked_for_and_little_ahead():
    begun = []
    results = side_by_side(begun.append, range(100), engine(2))
    time.sleep(0.02)
    assert not begun
    next(results)
    results.close()
    assert 1 <= len(begun) <= 2 * AHEAD
    assert nothing_runs()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_errors_come_in_their_turn_and_end_it(count):
    done, results = [], []

    def work(item):
        if item in (3, 4):
            raise ValueError(f"item {item}")
        time.sleep(0.01)
        done.append(item)
        return item

    with pytest.raises(ValueError, match="item 3"):
        results.extend(side_by_side(work, range(1000), engine(count)))
    assert {0, 1, 2} <= set(done)
    assert max(done) < 3 + count * AHEAD
    assert nothing_runs()


def test_an_interrupt_ends_it():
    done = []

    def work(item):
        if item == 5:
            signal.raise_signal(signal.SIGINT)  # which Python gives to the main thread
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(work, range(1000), engine(2)))
    assert len(done) < 50
    assert nothing_runs()
