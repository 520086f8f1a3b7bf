"""Independent parts of the measuring on all cores, with the result of one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
CORES = torch.get_num_threads()  # that this process may use


def side_by_side(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`function` of every item, in order, each computed on one thread of torch. Raises the first error of any."""
    with ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        return list(threads.map(function, items))
