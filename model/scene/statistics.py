"""What is constant over a scene: radiometry, band relations, and the sharpness of MS relative to PAN.

Every tile of a scene uses the same `SceneStatistics`, so tiles cannot differ in radiometry. All of it is measured
at MS resolution, where PAN (brought there by the MTF) and MS can be compared pixel by pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d

from ..geometry.transfer import SUMMARY, TransferFunction

HIGH_PASS_SIZE = 5  # MS pixels; details finer than this are what pansharpening adds
RIDGE = 1e-3  # share of the mean band variance, keeps collinear bands from cancelling each other
MINIMUM_PIXELS = 64
LEAST_DEVIATION = 1e-12  # of the mean; what a constant band has by rounding
UNRELATED_FIT, RELATED_FIT = 0.2, 0.6  # below the first PAN says nothing of the bands, above the second all
LARGEST_INJECTION = 3.0  # beyond it, PAN has so little detail at MS resolution that the regression is chance
USUAL_TRANSFER = (0.95, 0.8, 0.55, 0.3)  # values of ordinary products at SUMMARY, along an axis
DARK_SHARE = 0.01  # of the pixels lie below the dark level, which stands for zero reflectance under haze


@dataclass(frozen=True)
class SceneStatistics:
    """Scene constants; bands in the order of the MS raster, relations in units of the standard deviations.

    ratio          MS pixel size over PAN pixel size
    transfer       transfer function of MS relative to PAN
    ms_mean, ms_std, ms_dark, pan_mean, pan_std, pan_dark   in digital numbers; PAN's are those of PAN at MS resolution,
                   one for all bands or, where every band has a PAN of its own, one per band
    injection      regression of each band's high-pass on PAN's: how much of PAN's detail the band shares
    slope          injection less the same at details twice as coarse: it rises where MS is crisper than its MTF says
    correlation    correlation of the same details as injection's, in [-1, 1]
    intensity      weights of the linear combination of bands whose high-pass explains PAN's best
    fit            correlation of that combination with PAN, in [0, 1]
    """

    ratio: float
    transfer: TransferFunction
    ms_mean: tuple[float, ...]
    ms_std: tuple[float, ...]
    ms_dark: tuple[float, ...]
    pan_mean: tuple[float, ...]
    pan_std: tuple[float, ...]
    pan_dark: tuple[float, ...]
    injection: tuple[float, ...]
    slope: tuple[float, ...]
    correlation: tuple[float, ...]
    intensity: tuple[float, ...]
    fit: float

    @property
    def bands(self) -> int:
        return len(self.ms_mean)

    @property
    def trust(self) -> float:
        """How much of what the network adds may be used, in [0, 1]: less than 1 where PAN hardly follows the bands."""
        none, full = UNRELATED_FIT, RELATED_FIT
        return min(max((self.fit - none) / (full - none), 0.0), 1.0)

    def depth(self, bands: Sequence[int]) -> list[float]:
        """How far the mean lies above the dark level, in deviations: of the bands, then of the PAN of each."""
        own = [(self.ms_mean[b] - self.ms_dark[b]) / self.ms_std[b] for b in bands]
        pans = [b % len(self.pan_mean) for b in bands]
        return [*own, *((self.pan_mean[p] - self.pan_dark[p]) / self.pan_std[p] for p in pans)]

    def condition(self, bands: Sequence[int]) -> list[float]:
        """Numbers of order one that tell the network what kind of scene this is, for one group of bands."""
        return [
            math.log2(self.ratio) - 1.5,
            self.fit - 0.9,
            *(2.0 * (value - usual) for value, usual in zip(self.transfer.summary(), 2 * USUAL_TRANSFER)),
            *(self.injection[b] - 0.7 for b in bands),
            *(self.correlation[b] - 0.7 for b in bands),
            *(2.0 * self.slope[b] for b in bands),
            *(min(d, 4.0) / 2.0 - 0.8 for d in self.depth(bands)),
        ]


CONDITIONS_PER_SCENE = 2 + 2 * len(SUMMARY)
CONDITIONS_PER_BAND = 5


def box_mean(image: torch.Tensor) -> torch.Tensor:
    """Mean over a square of HIGH_PASS_SIZE; (..., h, w) to (..., h - size + 1, w - size + 1)."""
    height, width = (n - HIGH_PASS_SIZE + 1 for n in image.shape[-2:])
    rows = image[..., :height, :].clone()
    for k in range(1, HIGH_PASS_SIZE):
        rows += image[..., k : k + height, :]
    total = rows[..., :width].clone()
    for k in range(1, HIGH_PASS_SIZE):
        total += rows[..., k : k + width]
    return total.div_(HIGH_PASS_SIZE**2)


def high_pass(image: torch.Tensor) -> torch.Tensor:
    """The image less its box mean, border dropped; same shape as `box_mean` returns."""
    edge = HIGH_PASS_SIZE // 2
    return image[..., edge : image.shape[-2] - edge, edge : image.shape[-1] - edge] - box_mean(image)


def high_pass_samples(ms: torch.Tensor, pan: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """High-passed MS (bands, n) and PAN (pans, n) where the whole box is valid.

    `ms` is (bands, h, w), `pan` (pans, h, w) and `valid` (h, w), all at MS resolution.
    """
    whole = whole_boxes(valid)
    return high_pass(ms)[:, whole], high_pass(pan)[:, whole]


def whole_boxes(valid: torch.Tensor) -> torch.Tensor:
    """Where `box_mean` and `high_pass` read valid pixels alone; of their shape."""
    return box_mean(valid.float()) > 1.0 - 0.5 / HIGH_PASS_SIZE**2


def explain(bands: torch.Tensor, pan: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Least-squares weights (bands,) of zero-mean `bands` (bands, n) for `pan` (n,), and the multiple correlation.

    The correlation is adjusted for the number of bands (Wherry, 1931): few samples follow anything by chance.
    """
    gram = bands @ bands.T
    scale = gram.diagonal().mean().clamp_min(1e-30)
    gram = gram + RIDGE * scale * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram, bands @ pan)
    combined = weights @ bands
    norm = torch.sqrt((combined @ combined) * (pan @ pan))
    share = min(max(float((combined @ pan) / norm), 0.0), 1.0) ** 2 if float(norm) > 0 else 0.0
    free = len(pan) - len(bands) - 1
    adjusted = 1.0 - (1.0 - share) * (len(pan) - 1) / free if free > 0 else 0.0
    return weights, math.sqrt(max(adjusted, 0.0))


def measure_statistics(
    windows: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    ratio: float,
    transfer: TransferFunction,
    check: Callable[[], None] = lambda: None,
) -> SceneStatistics:
    """Statistics of a scene from sample windows (ms (bands, h, w), PAN at MS resolution (h, w), valid (h, w)).

    PAN may be (bands, h, w), a PAN for each band; `fit` and `intensity` are then those of their mean.
    Raises ValueError where fewer than MINIMUM_PIXELS pixels are valid in PAN and in every band. `check` is called
    often and may raise to stop.
    """
    windows = [(ms.double(), pan.double().reshape(-1, *valid.shape), valid) for ms, pan, valid in windows]
    ms = torch.cat([w[:, v] for w, _, v in windows], dim=1)
    pan = torch.cat([p[:, v] for _, p, v in windows], dim=1)
    if pan.shape[1] < MINIMUM_PIXELS:
        raise ValueError(f"only {pan.shape[1]} pixels are valid in both rasters, at least {MINIMUM_PIXELS} are needed")
    check()
    (ms_mean, ms_std), (pan_mean, pan_std) = (_moments(values) for values in (ms, pan))
    units = [(_unit(w, ms_mean, ms_std), _unit(p, pan_mean, pan_std), v) for w, p, v in windows]
    check()
    details = _details(units)
    bands, pans = details if details else (ms.new_zeros(len(ms), 0), pan.new_zeros(len(pan), 0))
    check()
    injection, correlation = _regress(bands, pans)
    coarse = _details([_halved(*unit) for unit in units if min(unit[2].shape) > 1])
    check()
    enough = bool(coarse) and coarse[0].shape[1] >= MINIMUM_PIXELS
    slope = injection - _regress(*coarse)[0] if enough else torch.zeros_like(injection)
    injection = injection.clamp(-LARGEST_INJECTION, LARGEST_INJECTION)
    intensity, fit = explain(bands, pans.mean(0))
    return SceneStatistics(
        ratio=float(ratio),
        transfer=transfer,
        ms_mean=tuple(ms_mean.tolist()),
        ms_std=tuple(ms_std.tolist()),
        ms_dark=tuple(_dark_level(band, check) for band in ms),
        pan_mean=tuple(pan_mean.tolist()),
        pan_std=tuple(pan_std.tolist()),
        pan_dark=tuple(_dark_level(p, check) for p in pan),
        injection=tuple(injection.tolist()),
        slope=tuple(slope.clamp(-0.5, 0.5).tolist()),
        correlation=tuple(correlation.tolist()),
        intensity=tuple(intensity.tolist()),
        fit=fit,
    )


def _moments(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation of each plane of (planes, n); a constant one has no deviation and is left unscaled."""
    mean = values.mean(1)
    return mean, _nonzero(values.std(1), mean)


def _unit(planes: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    return (planes - mean[:, None, None]) / std[:, None, None]


def _details(windows: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> list[torch.Tensor]:
    """High-passed MS (bands, n) and PAN (pans, n) of all windows that hold a whole box; empty where none does."""
    whole = [window for window in windows if min(window[2].shape) >= HIGH_PASS_SIZE]
    parts = [high_pass_samples(*window) for window in whole]
    return [torch.cat(p, dim=1) for p in zip(*parts)]


def _halved(
    ms: torch.Tensor, pan: torch.Tensor, valid: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A window at half the resolution."""
    return avg_pool2d(ms, 2), avg_pool2d(pan, 2), avg_pool2d(valid.double()[None], 2)[0] > 0.99


def _dark_level(values: torch.Tensor, check: Callable[[], None]) -> float:
    """The value that DARK_SHARE of the values (n,) lies below."""
    check()
    return float(torch.quantile(values, DARK_SHARE))


def _regress(bands: torch.Tensor, pans: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Regression coefficient of each band (bands, n) on its PAN (pans, n), all of zero mean, and their correlation."""
    power, shared = (pans * pans).sum(1).clamp_min(1e-30), (bands * pans).sum(1)
    spread = torch.sqrt((bands * bands).sum(1) * power).clamp_min(1e-30)
    return shared / power, shared / spread


def _nonzero(deviation: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """A constant band has no deviation: it is centred and left unscaled. `level` is the size of its values."""
    return torch.where(deviation > LEAST_DEVIATION * level.abs(), deviation, torch.ones_like(deviation))
