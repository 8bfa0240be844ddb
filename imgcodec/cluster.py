"""Work on many items on a Ray cluster (the extra `ray`): another runner of the tasks that `imgcodec.workers` runs.

    items ──► blocks of items ──► actors, each with a task that it opened once ──► outcomes, as they are done

Ray Data hands blocks to actors and starts new ones for those that die. Bytes of pictures never go through it: an actor
reads an item's input and writes its output itself, so both have to be where every machine finds them.
"""

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic

from imgcodec.bitstream.errors import CodecError
from imgcodec.workers import Item, Outcome, Result, outcome_of, portable, prepare_process

LARGEST_BLOCK = 32
"""Items that an actor gets at once, and does again when it dies over them."""
BLOCKS_AHEAD = 8
"""Blocks for each actor, where there are few items: so all of them end at about the same time."""
TRIES = 3
"""Of an item over which actors die."""
RETRY = "There are infinite retries remaining"
"""What Ray prints to stdout of every actor that ends early, also of those that end because all of this does."""


@contextmanager
def working_through_on_ray(
    open_task: Callable[[], Callable[[Item], Result]], items: Sequence[Item], workers: int, gpus: int = 0
) -> Iterator[Iterator[Outcome[Item, Result]]]:
    """As `imgcodec.workers.working_through`, with actors of a Ray cluster; outcomes come in any order.

    The cluster is that which Ray finds (RAY_ADDRESS, or one on this machine), or one that is started for this. workers:
    actors, of one CPU each. gpus: of each actor, too. An item may be worked on twice, by the successor of an actor that
    died. Raises CodecError where Ray is not installed or finds no cluster.
    """
    if not items:
        yield iter(())
        return
    with _connected() as (ray, data):
        rows = max(1, min(LARGEST_BLOCK, len(items) // (workers * BLOCKS_AHEAD)))
        blocks = data.from_items(
            [{"place": place, "item": item} for place, item in enumerate(items)],
            override_num_blocks=-(-len(items) // rows),
        )
        done = blocks.map_batches(
            _Actor,
            fn_constructor_args=(open_task, os.getcwd(), ray.remote(num_cpus=0)(_Tries).remote()),
            batch_size=None,
            batch_format="pandas",
            compute=data.ActorPoolStrategy(size=min(workers, len(items))),
            num_cpus=1,
            num_gpus=gpus,
        )
        yield _outcomes(done.iter_rows(), ray.exceptions.RayError)


def _outcomes(rows: Iterator[dict[str, Any]], error_of_ray: type[Exception]) -> Iterator[Outcome[Any, Any]]:
    try:
        for row in rows:
            if isinstance(row["outcome"], Exception):
                raise row["outcome"]
            yield row["outcome"]
    except error_of_ray as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise CodecError(f"Ray has stopped: {reason:.300}; the same command does the rest.") from None


class _Tries:
    """How often items were begun, on behalf of actors that die over them."""

    def __init__(self) -> None:
        self.begun = Counter[int]()

    def begin(self, place: int) -> int:
        self.begun[place] += 1
        return self.begun[place]

    def end(self, place: int) -> None:
        del self.begun[place]


class _Actor(Generic[Item, Result]):
    """A process of the cluster, with a task. Where that cannot be opened, the error is its answer to everything."""

    def __init__(self, open_task: Callable[[], Callable[[Item], Result]], folder: str, tries: Any) -> None:
        prepare_process()
        if os.path.isdir(folder):  # what relative paths are relative to; on other machines it may not be there
            os.chdir(folder)
        self.tries = tries
        self.error: Exception | None = None
        try:
            self.task = open_task()
        except Exception as error:
            self.error = portable(error)

    def __call__(self, block: Any) -> Any:
        """A table with the columns place and item -> one with place and outcome."""
        answers = [self.error or self._outcome(*row) for row in zip(block["place"], block["item"], strict=True)]
        return {"place": block["place"], "outcome": answers}

    def _outcome(self, place: int, item: Item) -> Outcome[Item, Result]:
        import ray

        if ray.get(self.tries.begin.remote(place)) > TRIES:
            return Outcome(item, error=CodecError(f"The {TRIES} processes that worked on it were killed."))
        outcome = outcome_of(self.task, item)
        self.tries.end.remote(place)
        return outcome if outcome.error is None else Outcome(item, error=portable(outcome.error))


@contextmanager
def _connected() -> Iterator[tuple[Any, Any]]:
    """Ray and Ray Data, quiet, on a cluster. What is started for it is stopped again."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here tells nobody
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", RETRY)
    try:
        import ray
        from ray import data
    except ImportError:
        raise CodecError("The engine ray needs an extra: pip install 'imgcodec[ray]'.") from None
    is_ours = not ray.is_initialized()
    if is_ours:
        try:
            with _stderr_closed():
                ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise CodecError(f"Ray has no cluster to work on: {reason:.300}.") from None
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler):  # its log in a file keeps everything
                handler.setLevel(logging.ERROR)
        yield ray, data
    finally:
        if is_ours:
            ray.shutdown()


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Where nothing of what this process writes to it arrives: Ray's C++ code tells there which level its log has."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
