"""Parts of one picture, each on a core of its own: tiles of the prior, pieces of the transforms.

    items ──► thread 1 ──► results, in the order of the items ──► the caller
          └─► thread 2 ──┘

Two parts at once, with a thread each, take less time than one after the other with two threads in every operator: these
wait for each other some hundred times a part. They are threads of one process, because engines compute without Python's
lock. What a part gives does not depend on how many there are.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8
"""Parts at once: one takes up to 200 MB while it is computed."""

AHEAD = 2
"""Parts for each thread that are begun, or done and kept, before the caller takes the first of them."""


@dataclass(frozen=True)
class Threads:
    """How an engine computes. count: threads that an operator takes, of the thread that asks. take_one: makes it one,
    for the thread that calls it, from then on; it is given what it was in the thread that started this one."""

    count: Callable[[], int]
    take_one: Callable[[int], None]


def cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(
    work: Callable[[Item], Result], items: Sequence[Item], threads: Threads, most: int = MOST
) -> Iterator[Result]:
    """The results of `work`, in the order of the items; what it raises is raised in its turn. most: items at once.

    One item alone is computed with all threads of the engine. Nothing runs any more when the iterator ends, by an
    exception or because the caller leaves it: items that were begun are finished first, no other is begun.
    """
    count = threads.count()
    workers = min(count, len(items), most)
    if workers < 2:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(workers, initializer=threads.take_one, initargs=(count,))
    try:
        begun = deque[Future[Result]]()
        for item in items:
            if len(begun) == AHEAD * workers:
                yield begun.popleft().result()
            begun.append(pool.submit(work, item))
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
