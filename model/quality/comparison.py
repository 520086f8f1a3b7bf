"""Comparison at reduced resolution, the source of the figures of log, assessment, fine-tuning and benchmarks.

A pair is reduced by its own ratio and its measured transfer function, so MS is the reference (Wald et al., 1997).

* Methods. All, also the network, get the placement and the transfer function by which the pair was reduced. A figure
  shows how well a method fuses, not how well something was measured on a small image.
* Pieces. All of MS where it is small, else windows that show texture (`raster.windows.small_scene`). A figure is
  that of the pixels of all pieces together, not a mean of figures. Fine-tuning compares its held-out blocks alone.
* Pixels. One counts where PAN and its MS pixel are valid and GUARD reduced MS pixels away from gaps and sides.
  Interpolation reads that far, and the network has no surroundings there.
* Numbers. Those of the file. Results are not rounded, since the method does not choose the type of the output. Q2n
  alone rounds both images where the data are integers, as the toolbox does.
* Bands. At most MAX_BANDS, spread over all. Classical methods see these alone; the network reads all bands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..geometry.filters import Mask, dilate
from ..geometry.grids import Window
from ..geometry.guides import measure_guides
from ..geometry.resampling import centres, covered, mtf_resampler, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .classical import CLASSICAL, Prepared, interpolation, mosaic, prepare
from .indices import Check, ComparedImages, Image, measure_indices

MAX_BANDS = 8  # Q2n of 64 bands would take longer than the rest of a run
GUARD = 2  # reduced MS pixels that interpolation reads on each side
MIN_SIDE = 8  # reduced MS pixels of a piece; smaller ones have no middle
NETWORK, INJECTION, INTERPOLATION = "network", "injection", "interpolation"
METHODS: Mapping[str, Callable[[Prepared], Image]] = {INTERPOLATION: interpolation, **CLASSICAL}
Figures = Mapping[str, float]  # names of INDICES, and their values


def compared_bands(outputs: Sequence[int]) -> list[int]:
    """Choose at most MAX_BANDS of the bands of the output, spread over them; -1 stands for one that is empty."""
    live = [band for band in outputs if band >= 0]
    return [live[i] for i in np.linspace(0, len(live) - 1, min(len(live), MAX_BANDS)).round().astype(int)]


def reduced_pair(pair: PairWindow, ratio: float, transfer: TransferFunction) -> PairWindow:
    """Reduce PAN to the MS pixels, and MS by `transfer` and in steps of `ratio`, to a nested grid.

    The reference is `pair.ms`.
    """
    pan, valid = pair.at_ms(pair.pan, pair.pan_valid, transfer)
    origin = (ratio - 1.0) / 2.0
    positions = [centres(int((n - 1 - origin) / ratio) + 1, origin, ratio) for n in valid.shape]
    axes = zip(valid.shape, positions, (transfer.rows, transfer.columns))
    rows, columns = (mtf_resampler(n, p, values, ratio) for n, p, values in axes)
    ms_valid = covered(valid, rows, columns, 0.001)
    small, step = resample(pair.ms, rows, columns), (ratio, ratio)
    return PairWindow(pan, valid, small, ms_valid, (origin, origin), step, guides=pair.guides)


def compared_pixels(small: PairWindow) -> Mask:
    """Mark pixels of a reduced pair to compare with its reference, (H, W): away from its sides and from gaps."""
    reach = guard(small.ratio)
    valid = np.pad(small.valid_on_pan(small.window), reach)
    return ~dilate(~valid, reach)[reach:-reach, reach:-reach]


def guard(ratio: float) -> int:
    """Return the width, in reduced PAN pixels, of sides and edges of gaps that do not count."""
    return GUARD * round(ratio)


@dataclass(frozen=True)
class ReducedScene:
    """Pieces of a scene at reduced resolution, and their reference."""

    ratio: float
    transfer: TransferFunction
    rounded: bool
    bands: tuple[int, ...]  # those that are compared, by their places in MS
    offsets: Image  # (bands, 1, 1), which reading took off those bands
    pan_offset: float  # which it took off PAN
    pairs: tuple[PairWindow, ...]  # the reduced pieces with all bands, offsets taken off, as a network reads them
    places: tuple[tuple[int, Window], ...]  # number of a piece and a window of its PAN for each compared part
    reference: Image  # (bands, H, W), in which the parts form one row
    valid: Mask  # (H, W), of the same row

    @classmethod
    def of(
        cls,
        pieces: Sequence[PairWindow],
        ratio: float,
        transfer: TransferFunction,
        outputs: Sequence[int],
        offsets: Sequence[float],
        pan_offset: float,
        rounded: bool,
        blocks: Sequence[Sequence[Window]] | None = None,
    ) -> ReducedScene | None:
        """Reduce pieces, their shift corrected; compare all but their sides, or `blocks` (in MS pixels) of each.

        `offsets` are of all bands. None where no pixel can be compared.
        """
        large = [n for n, p in enumerate(pieces) if min(p.ms_valid.shape) >= MIN_SIDE * ratio]
        pairs = _measure_guides_again([reduced_pair(pieces[n], ratio, transfer) for n in large], transfer)
        places = [(i, w) for i, n in enumerate(large) for w in (blocks[n] if blocks else [_trim_sides(pairs[i])])]
        if not places:
            return None
        valid = mosaic([_cut(compared_pixels(pairs[i]), window) for i, window in places])
        if not valid.any():
            return None
        bands = compared_bands(outputs)
        band_offsets = np.array(offsets)[bands, None, None]
        reference = mosaic([_cut(pieces[large[i]].ms[bands] + band_offsets, w) for i, w in places])
        return cls(
            ratio, transfer, rounded, tuple(bands), band_offsets, pan_offset, pairs, tuple(places), reference, valid
        )  # fmt: skip

    def joined(self, results: Sequence[Image]) -> Image:
        """Put results for the places into one row, in their order, in the numbers of the file."""
        return mosaic([r + self.offsets for r in results])

    def measure(self, fused: Image, names: Sequence[str] = ()) -> Figures:
        """Compare a result with the reference by the named indices, without names by all that need one."""
        return measure_indices(ComparedImages(self.reference, fused, self.valid, self.ratio, self.rounded), names)

    def compare_methods(
        self,
        names: Sequence[str] = (),
        check: Check = lambda: None,
        methods: Mapping[str, Callable[[Prepared], Image]] = METHODS,
    ) -> dict[str, Figures]:
        """Compute figures of interpolation and of the classical methods, by the method's name."""
        parts = []
        for number, window in self.places:
            pair = self._restore_numbers(self.pairs[number])
            parts.append(prepare(pair, self.transfer, _cut(compared_pixels(pair), window), window))
        whole, figures = Prepared.joined(parts), {}
        for name, method in methods.items():
            check()
            figures[name] = self.measure(whole.fuse(method), names)
        return figures

    def _restore_numbers(self, pair: PairWindow) -> PairWindow:
        """Return a reduced pair of the compared bands in the numbers of the file, float64."""
        kept = pair.with_bands(self.bands)
        kept = replace(kept, ms=kept.ms + self.offsets)
        if kept.guides:
            return replace(kept, guides=kept.guides.raised(self.offsets.ravel().tolist()))
        return replace(kept, pan=kept.pan.astype(np.float64) + self.pan_offset)


def _measure_guides_again(pairs: Sequence[PairWindow], transfer: TransferFunction) -> tuple[PairWindow, ...]:
    """Measure the guides of reduced pairs at their own scale: weights that MS itself gave would know the reference."""
    if not any(p.guides for p in pairs):
        return tuple(pairs)
    guides = measure_guides([(p.ms, *p.at_ms(p.pan, p.pan_valid, transfer)) for p in pairs])
    return tuple(replace(p, guides=guides) for p in pairs)


def _trim_sides(small: PairWindow) -> Window:
    """Return the window of a reduced piece's PAN without its sides, which do not count."""
    rim = guard(small.ratio)
    height, width = small.pan_valid.shape
    return Window(rim, rim, width - 2 * rim, height - 2 * rim)


def _cut(image: NDArray, window: Window) -> NDArray:
    return image[..., window.top : window.bottom, window.left : window.right]
