"""The relation of PAN and MS that their pixels show: residual shift, and sharpness of MS relative to PAN.

Both are read off the same curve: the multiple correlation of the high-passed MS bands with high-passed PAN after PAN
has been brought to the MS pixels by a Gaussian MTF. It peaks where shift and gain are right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import max_pool2d

from .degradation import Matrix, centres, mtf_matrix, mtf_reach, resample
from .scene import HIGH_PASS_SIZE, high_pass, whole_boxes

LARGEST_SHIFT = 4  # PAN pixels searched in each direction
GAINS = (0.02, 0.03, 0.045, 0.065, 0.09, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
FIRST_GAIN = 0.25
DEFAULT_GAIN = 0.3  # the usual value of tabulated sensors, where a scene does not tell
RELIABLE_CORRELATION = 0.6
BAND_CORRELATION = 0.9  # below it, a band takes the gain of the scene
MINIMUM_SAMPLES = 200


@dataclass(frozen=True)
class PairWindow:
    """A piece of both rasters: pan (H, W), ms (bands, h, w), their validity, and how the grids lie.

    `origin` (row, column) is the centre of MS pixel (0, 0) in PAN pixel indices of this window; `step` is the MS pixel
    size in PAN pixels.
    """

    pan: torch.Tensor
    pan_valid: torch.Tensor
    ms: torch.Tensor
    ms_valid: torch.Tensor
    origin: tuple[float, float]
    step: tuple[float, float]

    @property
    def ratio(self) -> float:
        """MS pixel size over PAN pixel size."""
        return math.sqrt(self.step[0] * self.step[1])

    def shifted(self, shift: tuple[float, float]) -> PairWindow:
        """The same window with the MS pixels moved by `shift` (row, column) PAN pixels."""
        return replace(self, origin=(self.origin[0] + shift[0], self.origin[1] + shift[1]))

    def pan_at_ms(self, gain: float) -> tuple[torch.Tensor, torch.Tensor]:
        """PAN blurred and sampled at the MS pixels, and where both are valid; (h, w) each."""
        rows, columns = self.mtf_matrices(gain)
        covered = resample(self.pan_valid.to(self.pan.dtype), rows, columns) > 0.99
        return resample(self.pan, rows, columns), covered & self.ms_valid & self.inside(0.5 * self.ratio)

    def mtf_matrices(self, gain: float) -> tuple[Matrix, Matrix]:
        """Maps that blur PAN and sample it at the MS rows and columns."""
        (height, width), (rows, columns), (down, across) = self.pan.shape, self.spots(), self.step
        return mtf_matrix(height, rows, gain, down), mtf_matrix(width, columns, gain, across)

    def inside(self, margin: float) -> torch.Tensor:
        """Which MS pixel centres lie in PAN's window, at least `margin` - 1/2 PAN pixels from its border; (h, w)."""
        rows, columns = ((s >= margin - 0.5) & (s <= n - 0.5 - margin) for n, s in zip(self.pan.shape, self.spots()))
        return torch.from_numpy(np.outer(rows, columns))

    def spots(self) -> tuple[Matrix, Matrix]:
        """PAN pixel indices of the MS rows and of the MS columns."""
        height, width = self.ms_valid.shape
        return centres(height, self.origin[0], self.step[0]), centres(width, self.origin[1], self.step[1])


@dataclass(frozen=True)
class Relation:
    """What was measured: shift (row, column) of MS in PAN pixels, gain at Nyquist, correlations in [0, 1].

    `reliable` is False where the scene does not tell (low texture, water, cloud); shift and gain are then defaults.
    `band_gains` holds each band's own gain, the scene's where that band does not tell.
    """

    shift: tuple[float, float]
    gain: float
    band_gains: tuple[float, ...]
    correlation: float
    correlation_unshifted: float
    reliable: bool


def measure_relation(
    windows: Sequence[PairWindow],
    align: bool = True,
    gain: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> Relation:
    """Measure shift (unless `align` is False) and gain (unless given) over sample windows of one scene.

    `check` is called often and may raise to stop.
    """
    curve = _Curve(windows, check)
    bands = len(windows[0].ms) if windows else 0
    if curve.count < MINIMUM_SAMPLES:
        default = gain or DEFAULT_GAIN
        return Relation((0.0, 0.0), default, (default,) * bands, 0.0, 0.0, False)
    shift, found = (0.0, 0.0), gain or FIRST_GAIN
    if align:
        shift = curve.coarse_shift(found)
        for step in (0.5, 0.15):
            found = gain or curve.gains(shift)[0]
            shift = curve.refine_shift(found, shift, step)
    measured, band_gains = curve.gains(shift)
    found = gain or measured
    best, unshifted = curve(found, shift), curve(found, (0.0, 0.0))
    if best < RELIABLE_CORRELATION:
        default = gain or DEFAULT_GAIN
        return Relation((0.0, 0.0), default, (default,) * bands, best, unshifted, False)
    return Relation(shift, found, (gain,) * bands if gain else band_gains, best, unshifted, True)


def measure_gain(window: PairWindow, default: float = DEFAULT_GAIN) -> float:
    """The gain alone, of a window that is already aligned; `default` where it is too small to tell."""
    curve = _Curve([window])
    if curve.count < MINIMUM_SAMPLES:
        return default
    return _peak(lambda g: curve(g, (0.0, 0.0)))


class _Curve:
    """Multiple correlation of high-passed PAN with the high-passed MS bands, as a function of gain and shift."""

    def __init__(self, windows: Sequence[PairWindow], check: Callable[[], None] = lambda: None) -> None:
        self.check = check
        self.windows = [self._with_safe_mask(w) for w in windows]
        self.windows = [w for w in self.windows if min(w.ms_valid.shape) >= HIGH_PASS_SIZE]
        self.whole = [whole_boxes(w.ms_valid) for w in self.windows]
        samples = [high_pass(w.ms)[:, whole] for w, whole in zip(self.windows, self.whole)]
        self.bands = torch.cat(samples, dim=1).double() if samples else torch.zeros(0, 0, dtype=torch.float64)
        self.count = self.bands.shape[1]
        keep = self.bands.pow(2).mean(1) > 1e-12 if self.count else torch.zeros(0, dtype=torch.bool)
        if not keep.any():
            self.count = 0
            return
        unit = self.bands[keep] / self.bands[keep].pow(2).sum(1, keepdim=True).sqrt()
        values, vectors = torch.linalg.eigh(unit @ unit.T)
        strong = values > 1e-6
        self.basis = (vectors[:, strong] / values[strong].sqrt()).T @ unit

    @staticmethod
    def _with_safe_mask(window: PairWindow) -> PairWindow:
        """Keep only MS pixels whose PAN neighbourhood is valid at every shift that will be tried."""
        reach = int(np.ceil(mtf_reach(FIRST_GAIN, window.ratio))) + LARGEST_SHIFT
        if bool(window.pan_valid.all()):
            return replace(window, ms_valid=window.ms_valid & window.inside(reach))
        bad = max_pool2d((~window.pan_valid).float()[None, None], 2 * reach + 1, 1, reach)[0, 0]
        rows, columns = (np.clip(np.rint(s), 0, n - 1) for n, s in zip(window.pan.shape, window.spots()))
        clear = bad[torch.from_numpy(rows).long()][:, torch.from_numpy(columns).long()] == 0
        return replace(window, ms_valid=window.ms_valid & clear & window.inside(reach))

    def __call__(self, gain: float, shift: tuple[float, float]) -> float:
        """Multiple correlation in [0, 1]."""
        return self._score(self._pan(gain, shift))

    def _score(self, pan: torch.Tensor) -> float:
        return float(torch.sqrt((self.basis @ pan).pow(2).sum() / (pan @ pan).clamp_min(1e-30)))

    def _pan(self, gain: float, shift: tuple[float, float]) -> torch.Tensor:
        """High-passed PAN at the valid MS pixels, (count,)."""
        return self._down(self._across(gain, shift[1]), gain, shift[0])

    def _across(self, gain: float, shift: float) -> list[torch.Tensor]:
        """PAN of each window blurred and sampled along its rows."""
        self.check()
        maps = (w.shifted((0.0, shift)).mtf_matrices(gain)[1] for w in self.windows)
        return [w.pan @ torch.from_numpy(m.T.astype(np.float32)) for w, m in zip(self.windows, maps)]

    def _down(self, across: Sequence[torch.Tensor], gain: float, shift: float) -> torch.Tensor:
        """The same along the columns, then the high-pass."""
        parts = []
        for window, whole, half_done in zip(self.windows, self.whole, across):
            rows = torch.from_numpy(window.shifted((shift, 0.0)).mtf_matrices(gain)[0].astype(np.float32))
            parts.append(high_pass(rows @ half_done)[whole])
        return torch.cat(parts).double()

    def coarse_shift(self, gain: float) -> tuple[float, float]:
        """Best whole-pixel shift; of equal ones the smallest."""
        reach = range(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
        scores: dict[tuple[float, float], float] = {}
        for x in reach:
            across = self._across(gain, x)
            scores |= {(float(y), float(x)): self._score(self._down(across, gain, y)) for y in reach}
        smallest_first = sorted(scores, key=lambda s: s[0] ** 2 + s[1] ** 2)
        return max(smallest_first, key=lambda s: scores[s])

    def refine_shift(self, gain: float, shift: tuple[float, float], step: float) -> tuple[float, float]:
        """Top of the parabola through three points of each axis in turn."""
        moved = list(shift)
        for axis in (0, 1):
            scores = []
            for offset in (-step, 0.0, step):
                trial = moved.copy()
                trial[axis] += offset
                scores.append(self(gain, (trial[0], trial[1])))
            moved[axis] = float(np.clip(moved[axis] + step * _vertex(scores), -LARGEST_SHIFT, LARGEST_SHIFT))
        return moved[0], moved[1]

    def gains(self, shift: tuple[float, float]) -> tuple[float, tuple[float, ...]]:
        """Gain of the highest correlation of the scene, and of each band where it shares enough of PAN."""
        pans = {g: self._pan(g, shift) for g in GAINS}
        scene = _peak(lambda g: self._score(pans[g]))
        bands = []
        for band in self.bands:
            norm = band.norm().clamp_min(1e-30)
            scores = {g: float((band @ p).abs() / (norm * p.norm().clamp_min(1e-30))) for g, p in pans.items()}
            bands.append(_peak(scores.__getitem__) if max(scores.values()) > BAND_CORRELATION else scene)
        return scene, tuple(bands)


def _peak(score: Callable[[float], float]) -> float:
    """The gain at the top of the score over GAINS, between them by a parabola; every third is tried first."""
    scores = {i: score(GAINS[i]) for i in range(1, len(GAINS), 3)}
    middle = max(scores, key=scores.__getitem__)
    for i in range(max(middle - 2, 0), min(middle + 3, len(GAINS))):
        scores.setdefault(i, score(GAINS[i]))
    best = max(scores, key=scores.__getitem__)
    if best in (0, len(GAINS) - 1) or not {best - 1, best + 1} <= scores.keys():
        return GAINS[best]
    step = _vertex([scores[best - 1], scores[best], scores[best + 1]])
    return float(GAINS[best] + step * (GAINS[best + 1] - GAINS[best] if step > 0 else GAINS[best] - GAINS[best - 1]))


def _vertex(scores: Sequence[float]) -> float:
    """Where, in steps from the middle one, the parabola through three scores is highest; within one step."""
    bend = scores[0] - 2.0 * scores[1] + scores[2]
    if bend >= 0.0:
        return float(np.argmax(scores)) - 1.0
    return float(np.clip(0.5 * (scores[0] - scores[2]) / bend, -1.0, 1.0))
