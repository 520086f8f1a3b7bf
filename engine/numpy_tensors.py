"""The part of torch that an assessment uses, by NumPy: an engine without torch takes it under torch's name.

Names, arguments and results are those of torch. It has no `nn`: nothing of networks is here.
"""

from __future__ import annotations

import operator
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Extremes = namedtuple("Extremes", ("values", "indices"))


class Tensor:
    """An array with torch's methods."""

    __array_priority__ = 1000  # NumPy leaves operators with its own arrays to this class, as to torch's
    device = SimpleNamespace(type="cpu")

    def __init__(self, array: Any) -> None:
        self.array: NDArray[Any] = np.asarray(array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype) if copy else np.asarray(self.array, dtype=dtype)

    def __getitem__(self, key: Any) -> Tensor:
        return Tensor(self.array[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.array[_key(key)] = _array(value)

    def __iter__(self) -> Iterator[Tensor]:
        return map(Tensor, self.array)

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> bool:
        return bool(self.array)

    def __int__(self) -> int:
        return int(self.array)

    def __float__(self) -> float:
        return float(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def T(self) -> Tensor:  # noqa: N802 - torch's name
        return Tensor(self.array.T)

    def numpy(self) -> NDArray[Any]:
        return self.array

    def numel(self) -> int:
        return self.array.size

    def to(self, other: Any) -> Tensor:
        return Tensor(self.array.astype(other.dtype if isinstance(other, Tensor) else other, copy=False))

    def double(self) -> Tensor:
        return self.to(np.float64)

    def float(self) -> Tensor:
        return self.to(np.float32)

    def long(self) -> Tensor:
        return self.to(np.int64)

    def clone(self) -> Tensor:
        return Tensor(self.array.copy())

    def div_(self, by: Any) -> Tensor:
        self.array /= _array(by)
        return self

    def clamp(self, low: Any, high: Any) -> Tensor:
        return Tensor(self.array.clip(low, high))

    def clamp_min(self, low: Any) -> Tensor:
        return Tensor(self.array.clip(min=low))

    def clamp_max(self, high: Any) -> Tensor:
        return Tensor(self.array.clip(max=high))

    def pow(self, exponent: Any) -> Tensor:
        return Tensor(self.array**exponent)

    def norm(self) -> Tensor:
        return Tensor(np.sqrt((self.array**2).sum()))

    def std(self) -> Tensor:
        return Tensor(self.array.std(ddof=1))

    def amax(self, dim: int) -> Tensor:
        return Tensor(self.array.max(dim))

    def max(self, dim: int | None = None) -> Any:
        if dim is None:
            return Tensor(self.array.max())
        return Extremes(Tensor(self.array.max(dim)), Tensor(self.array.argmax(dim)))

    def min(self) -> Tensor:
        return Tensor(self.array.min())

    def median(self, dim: int | None = None) -> Any:
        """The lower of the two in the middle, as torch has it."""
        line = np.sort(self.array, axis=dim)
        middle = Tensor(np.take(line, (line.shape[-1 if dim is None else dim] - 1) // 2, axis=dim))
        return middle if dim is None else Extremes(middle, None)

    def nonzero(self, as_tuple: bool = False) -> Any:
        return tuple(map(Tensor, self.array.nonzero())) if as_tuple else Tensor(np.argwhere(self.array))

    def flatten(self, first: int = 0, last: int = -1) -> Tensor:
        shape = self.array.shape
        end = last % max(len(shape), 1) + 1
        return Tensor(self.array.reshape(*shape[:first], int(np.prod(shape[first:end])), *shape[end:]))

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        return Tensor(self.array.take(index.array, axis=dim))

    def index_add(self, dim: int, index: Tensor, values: Tensor) -> Tensor:
        """Of lines (n,) alone."""
        added = np.bincount(index.array, values.array, minlength=len(self.array))
        return Tensor(self.array + added.astype(self.array.dtype))


def _key(key: Any) -> Any:
    return tuple(map(_array, key)) if isinstance(key, tuple) else _array(key)


def _array(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else value


def _binary(function: Callable[[Any, Any], Any], turned: bool = False) -> Callable[[Tensor, Any], Tensor]:
    def apply(self: Tensor, other: Any) -> Tensor:
        pair = (self.array, _array(other))
        return Tensor(function(*(reversed(pair) if turned else pair)))

    return apply


def _method(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """A function of an array, or of its elements along axes, as a method."""
    return lambda self, *axes: Tensor(function(self.array, *axes))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "and", "or", "matmul"):
    _function = getattr(operator, f"{_name}_" if _name in ("and", "or") else _name)
    setattr(Tensor, f"__{_name}__", _binary(_function))
    setattr(Tensor, f"__r{_name}__", _binary(_function, turned=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Tensor, f"__{_name}__", _binary(getattr(operator, _name)))
for _name, _one in (("__neg__", np.negative), ("__invert__", np.invert), ("abs", np.abs), ("sqrt", np.sqrt)):
    setattr(Tensor, _name, _method(_one))
for _name, _along in (("sum", np.sum), ("mean", np.mean), ("any", np.any), ("all", np.all), ("argmax", np.argmax)):
    setattr(Tensor, _name, _method(_along))


def where(chosen: Tensor, first: Any, second: Any) -> Tensor:
    kind = next(v.dtype for v in (first, second) if isinstance(v, Tensor))
    return Tensor(np.where(chosen.array, _array(first), _array(second)).astype(kind, copy=False))


def cat(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    return Tensor(np.concatenate([p.array for p in parts], axis=dim))


def unique(values: Tensor, return_inverse: bool) -> tuple[Tensor, ...]:
    return tuple(map(Tensor, np.unique(values.array, return_inverse=True)))


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = np.linalg.eigh(matrix.array)
    return Tensor(values), Tensor(vectors)


def avg_pool2d(
    image: Tensor, size: int, stride: int | None = None, padding: int = 0, count_include_pad: bool = True
) -> Tensor:
    """Means of squares that lie one pixel apart; (..., h, w)."""

    def total(values: NDArray[Any]) -> NDArray[Any]:
        for axis in (-2, -1):
            sums = np.cumsum(values, axis=axis, dtype=np.float64)
            sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis)), sums], axis)
            count = sums.shape[axis] - size
            values = np.take(sums, range(size, size + count), axis) - np.take(sums, range(count), axis)
        return values

    counted = np.pad(np.ones(image.shape[-2:]), padding, constant_values=float(count_include_pad))
    found = total(_padded(image, padding, 0)) / total(counted)
    return Tensor(found.astype(image.dtype))


def max_pool2d(image: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """Largest values of squares that lie one pixel apart; (..., h, w)."""
    values = _padded(image, padding, -np.inf)
    for axis in (-2, -1):
        count = values.shape[axis] - size + 1
        best = np.take(values, range(count), axis)
        for start in range(1, size):
            np.maximum(best, np.take(values, range(start, start + count), axis), out=best)
        values = best
    return Tensor(values)


def _shape(given: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(given[0]) if given and isinstance(given[0], tuple) else given


def _padded(image: Tensor, padding: int, value: float) -> NDArray[Any]:
    rim = [(0, 0)] * (image.array.ndim - 2) + [(padding, padding)] * 2
    return np.pad(image.array, rim, constant_values=value)


def install() -> None:
    """From now on `import torch` gives this in this process."""
    torch, functional = ModuleType("torch"), ModuleType("torch.nn.functional")
    functional.__dict__.update(avg_pool2d=avg_pool2d, max_pool2d=max_pool2d)
    torch.__dict__.update(
        {name: np.dtype(name) for name in ("float32", "float64", "int64", "bool")},
        Tensor=Tensor,
        inf=np.inf,
        linalg=SimpleNamespace(eigh=eigh),
        from_numpy=Tensor,
        tensor=lambda values, dtype=None: Tensor(np.array(values, dtype=dtype)),
        as_tensor=lambda values, dtype=None, device=None: Tensor(np.asarray(_array(values), dtype=dtype)),
        empty=lambda *shape: Tensor(np.empty(shape, np.float32)),
        zeros=lambda *shape, dtype=np.float32: Tensor(np.zeros(_shape(shape), dtype)),
        ones=lambda *shape, dtype=np.float32: Tensor(np.ones(shape, dtype)),
        zeros_like=lambda like: Tensor(np.zeros_like(like.array)),
        full_like=lambda like, value: Tensor(np.full_like(like.array, value)),
        arange=lambda count: Tensor(np.arange(count)),
        bincount=lambda values, minlength=0: Tensor(np.bincount(values.array, minlength=minlength)),
        stack=lambda parts: Tensor(np.stack([p.array for p in parts])),
        sqrt=lambda values: values.sqrt(),
        where=where,
        cat=cat,
        unique=unique,
        get_num_threads=lambda: 1,
        set_num_threads=lambda count: None,
    )
    sys.modules.update({"torch": torch, "torch.nn.functional": functional})
