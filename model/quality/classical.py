"""Classical methods of pansharpening, each as its paper gives it, on real grids: the yardsticks of any result.

All take the output of `prepare` for a pair whose grids and transfer function are known. Positions of pixels do not
matter to the methods, so pieces of a scene may be `joined` and are then treated as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.filters import Mask
from ..geometry.grids import Window
from ..geometry.resampling import centres, mtf_resampler, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .full_resolution import interpolate_ms, low_pan
from .indices import BLOCK, Image

MIN_INTENSITY = 1e-9  # Brovey does not divide by smaller ones


@dataclass(frozen=True)
class Prepared:
    """Inputs that the methods share. All blurs but one are Gaussian, as in the papers."""

    ms: Image  # (bands, h, w)
    ms_low: Image  # blurred once more
    pan_at_ms: Image  # PAN at the MS pixels
    valid: Mask  # (h, w), of those three
    pan: Image  # (H, W)
    pan_low: Image  # PAN at MS sharpness
    pan_measured: Image  # the same, by the measured transfer function
    lms: Image  # (bands, H, W) interpolated MS
    valid_fine: Mask  # (H, W), of the images on the PAN grid

    def fuse(self, method: Callable[[Prepared], Image]) -> Image:
        """Apply a method, (bands, H, W); where PAN, and all made of it, are (bands, ...), to each band with its own."""
        if self.pan.ndim == 2:
            return method(self)
        names = "pan_at_ms", "pan", "pan_low", "pan_measured"
        by_band = [{name: getattr(self, name)[band] for name in names} for band in range(len(self.lms))]
        return np.stack([method(replace(self, **pans))[band] for band, pans in enumerate(by_band)])

    @classmethod
    def joined(cls, parts: Sequence[Prepared]) -> Prepared:
        """Put pieces of a scene into one image, as `mosaic` does."""
        return cls(**{name: mosaic([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__})


def mosaic(images: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put images (..., h, w) into one row, padded with 0 so that each begins a block and none touches the next."""
    height = max(i.shape[-2] for i in images)
    parts = []
    for image in images:
        rim = (0, height - image.shape[-2]), (0, BLOCK - image.shape[-1] % BLOCK)
        parts.append(np.pad(image, [(0, 0)] * (image.ndim - 2) + list(rim)))
    return np.concatenate(parts, axis=-1)


def prepare(pair: PairWindow, transfer: TransferFunction, valid_fine: Mask, place: Window | None = None) -> Prepared:
    """Blur and interpolate a pair once for all methods, on the part `place` of PAN or on all of it.

    The methods' parameters are fitted where `valid_fine`, of that part, is True.
    """
    gaussian, place = transfer.nearest_gaussian(), place or pair.window
    pan_at_ms, valid = pair.pan_at_ms(gaussian)
    height, width = pair.ms_valid.shape
    axes = ((height, gaussian.rows), (width, gaussian.columns))
    blur = (mtf_resampler(n, centres(n, 0.0, 1.0), values, pair.ratio) for n, values in axes)
    images = (pair.ms, resample(pair.ms, *blur), pan_at_ms)
    fine = (pair.pans, low_pan(pair, gaussian), low_pan(pair, transfer), interpolate_ms(pair))
    cut = np.s_[..., place.top : place.bottom, place.left : place.right]
    ms, ms_low, low = (i.astype(np.float64) for i in images)
    pan, pan_low, pan_measured, lms = (i[cut].astype(np.float64) for i in fine)
    return Prepared(ms, ms_low, low, valid, pan, pan_low, pan_measured, lms, valid_fine)


def interpolation(p: Prepared) -> Image:
    """Return MS interpolated by cubic convolution."""
    return p.lms


def brovey(p: Prepared) -> Image:
    """Fuse by Brovey with PAN matched to the intensity (Gillespie et al., 1987; Vivone et al., 2015)."""
    intensity = p.lms.mean(0)
    i, low = intensity[p.valid_fine], p.pan_low[p.valid_fine]
    pan = (p.pan - p.pan[p.valid_fine].mean()) * (i.std() / max(low.std(), 1e-12)) + i.mean()
    return np.asarray(p.lms * (pan / np.where(np.abs(intensity) > MIN_INTENSITY, intensity, 1.0)))


def gsa(p: Prepared) -> Image:
    """Fuse by Gram-Schmidt adaptive (Aiazzi et al., 2007)."""
    design = np.concatenate([p.ms[:, p.valid], np.ones((1, int(p.valid.sum())))])
    weights = np.linalg.lstsq(design.T, p.pan_at_ms[p.valid], rcond=None)[0]
    intensity = np.tensordot(weights[:-1], p.lms, 1) + weights[-1]
    inside = intensity[p.valid_fine]
    gains = [_divide(np.cov(inside, band[p.valid_fine])[0, 1], inside.var(ddof=1)) for band in p.lms]
    pan = p.pan - p.pan[p.valid_fine].mean() + inside.mean()
    return np.asarray(p.lms + np.array(gains)[:, None, None] * (pan - intensity))


def mtf_glp_fs(p: Prepared) -> Image:
    """Fuse by MTF-GLP with full-scale regression gains (Vivone, Restaino and Chanussot, 2018)."""
    pan, low = p.pan[p.valid_fine], p.pan_low[p.valid_fine]
    shared = np.cov(low, pan)[0, 1]
    gains = [_divide(np.cov(band[p.valid_fine], pan)[0, 1], shared) for band in p.lms]
    return np.asarray(p.lms + np.array(gains)[:, None, None] * (p.pan - p.pan_low))


def mtf_glp(p: Prepared) -> Image:
    """Fuse by MTF-GLP with regression gains (Aiazzi et al., 2006) and the measured transfer function."""
    low = p.pan_measured[p.valid_fine]
    gains = [_divide(np.cov(band[p.valid_fine], low)[0, 1], low.var(ddof=1)) for band in p.lms]
    return np.asarray(p.lms + np.array(gains)[:, None, None] * (p.pan - p.pan_measured))


def bdsd_pc(p: Prepared) -> Image:
    """Fuse by band-dependent spatial detail with physical constraints: PAN adds, bands subtract (Vivone, 2019)."""
    design = np.concatenate([p.pan_at_ms[None, p.valid], -p.ms_low[:, p.valid]]).T
    q, r = np.linalg.qr(design)
    fine = np.concatenate([p.pan[None], -p.lms])
    bands = []
    for band, low, lms in zip(p.ms, p.ms_low, p.lms):
        weights = non_negative(r, q.T @ (band - low)[p.valid])
        bands.append(lms + np.tensordot(weights, fine, 1))
    return np.stack(bands)


CLASSICAL: Mapping[str, Callable[[Prepared], Image]] = {
    "Brovey": brovey,
    "GSA": gsa,
    "MTF-GLP-FS": mtf_glp_fs,
    "BDSD-PC": bdsd_pc,
    "MTF-GLP measured": mtf_glp,
}


def non_negative(design: Image, target: Image) -> Image:
    """Solve design x = target by least squares, x >= 0 (Lawson and Hanson, 1974); (n,) for design (m, n)."""
    count = design.shape[1]
    x, free = np.zeros(count), np.zeros(count, dtype=bool)
    tolerance = 1e-12 * max(float(np.abs(design.T @ target).max()), 1e-300)
    for _ in range(3 * count):
        slope = np.where(free, -np.inf, design.T @ (target - design @ x))
        if float(slope.max()) <= tolerance:
            break
        free[int(slope.argmax())] = True
        while True:
            trial = np.zeros(count)
            trial[free] = np.linalg.lstsq(design[:, free], target, rcond=None)[0]
            negative = free & (trial <= 0.0)
            if not negative.any():
                break
            step = float((x[negative] / (x[negative] - trial[negative])).min())
            x = x + step * (trial - x)
            free &= x > 1e-14 * max(float(x.max()), 1e-300)
            x[~free] = 0.0
        x = trial
    return x


def _divide(covariance: float, variance: float) -> float:
    """Divide; 0 where nothing varies."""
    return float(covariance / variance) if variance != 0.0 else 0.0
