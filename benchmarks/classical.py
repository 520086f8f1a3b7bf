"""The classical methods that ours is measured against, each as its paper gives it, on real grids.

All take a pair at hand (PAN (H, W), MS, how the grids lie), its gain, and give (bands, H, W) float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from otfm_pansharpen.model.geometry.resampling import centres, mtf_matrix, resample
from otfm_pansharpen.model.geometry.window_pair import PairWindow
from otfm_pansharpen.model.quality.full_resolution import interpolated_ms, low_pan
from scipy.optimize import nnls

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Prepared:
    """What the methods share: at MS resolution ms (bands, h, w), ms_low (blurred once more) and pan_at_ms, where
    `valid`; on the PAN grid pan, pan_low and lms, where `valid_fine`."""

    ms: Image
    ms_low: Image
    pan_at_ms: Image
    valid: NDArray[np.bool_]
    pan: Image
    pan_low: Image
    lms: Image
    valid_fine: NDArray[np.bool_]


def prepare(pair: PairWindow, gain: float, valid_fine: NDArray[np.bool_]) -> Prepared:
    """Blur and interpolate a pair once for all methods."""
    pan_at_ms, valid = pair.pan_at_ms(gain)
    height, width = pair.ms_valid.shape
    blur = [mtf_matrix(n, centres(n, 0.0, 1.0), gain, pair.ratio) for n in (height, width)]
    images = (pair.ms, resample(pair.ms, *blur), pan_at_ms)
    fine = (pair.pan, low_pan(pair, gain), interpolated_ms(pair))
    ms, ms_low, low, pan, pan_low, lms = (np.asarray(i, dtype=np.float64) for i in (*images, *fine))
    return Prepared(ms, ms_low, low, valid.numpy(), pan, pan_low, lms, valid_fine)


def interpolation(p: Prepared) -> Image:
    """Cubic convolution, nothing else."""
    return p.lms


def gdal_brovey(p: Prepared) -> Image:
    """Weighted Brovey as gdal_pansharpen has it: equal weights, PAN as it is."""
    pseudo = p.lms.mean(0)
    return p.lms * (p.pan / np.where(np.abs(pseudo) > 1e-9, pseudo, 1.0))


def brovey(p: Prepared) -> Image:
    """Brovey with PAN matched to the intensity's mean and deviation (Gillespie et al., 1987; Vivone et al., 2015)."""
    intensity = p.lms.mean(0)
    i, low = intensity[p.valid_fine], p.pan_low[p.valid_fine]
    pan = (p.pan - p.pan[p.valid_fine].mean()) * (i.std() / max(low.std(), 1e-12)) + i.mean()
    return p.lms * (pan / np.where(np.abs(intensity) > 1e-9, intensity, 1.0))


def gsa(p: Prepared) -> Image:
    """Gram-Schmidt adaptive (Aiazzi et al., 2007)."""
    design = np.concatenate([p.ms[:, p.valid], np.ones((1, int(p.valid.sum())))])
    weights = np.linalg.lstsq(design.T, p.pan_at_ms[p.valid], rcond=None)[0]
    intensity = np.tensordot(weights[:-1], p.lms, 1) + weights[-1]
    inside = intensity[p.valid_fine]
    gains = [np.cov(inside, band[p.valid_fine])[0, 1] / inside.var(ddof=1) for band in p.lms]
    pan = p.pan - p.pan[p.valid_fine].mean() + inside.mean()
    return p.lms + np.array(gains)[:, None, None] * (pan - intensity)


def mtf_glp_fs(p: Prepared) -> Image:
    """MTF-GLP with full-scale regression gains (Vivone, Restaino and Chanussot, 2018)."""
    pan, low = p.pan[p.valid_fine], p.pan_low[p.valid_fine]
    gains = [np.cov(band[p.valid_fine], pan)[0, 1] / np.cov(low, pan)[0, 1] for band in p.lms]
    return p.lms + np.array(gains)[:, None, None] * (p.pan - p.pan_low)


def bdsd_pc(p: Prepared) -> Image:
    """Band-dependent spatial detail with physical constraints: PAN adds, bands subtract (Vivone, 2019)."""
    design = np.concatenate([p.pan_at_ms[None, p.valid], -p.ms_low[:, p.valid]]).T
    q, r = np.linalg.qr(design)
    fine = np.concatenate([p.pan[None], -p.lms])
    bands = []
    for band, low, lms in zip(p.ms, p.ms_low, p.lms, strict=True):
        weights = nnls(r, q.T @ (band - low)[p.valid])[0]
        bands.append(lms + np.tensordot(weights, fine, 1))
    return np.stack(bands)


CLASSICAL = {"Brovey": brovey, "GSA": gsa, "MTF-GLP-FS": mtf_glp_fs, "BDSD-PC": bdsd_pc}
SIMPLE = {"interpolation": interpolation, "GDAL Brovey": gdal_brovey}
