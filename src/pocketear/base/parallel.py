"""parallel: work on many items at once, in order, without holding all results in memory."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_IN_FLIGHT = 64  # results that may wait in memory, over all workers

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: list[Item], workers: int | None = None
) -> Iterator[Result]:
    """`map` over a few threads, in order, with a bounded number of results waiting."""
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rest = iter(items)
        waiting: list[Future[Result]] = [pool.submit(work, i) for i in islice(rest, _IN_FLIGHT)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
