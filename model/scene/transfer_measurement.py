"""The transfer function of MS relative to PAN, measured on a scene whose PAN and MS are aligned.

A combination of bands follows PAN at low frequencies. The function is the cross-spectrum of PAN and this combination
over PAN's power, averaged over segments of the scene (Welch, 1967). Below the MS Nyquist frequency, alternating least
squares separate it into one function along the rows' axis and one along the columns' axis. The estimate is smooth, and
falls back towards a Gaussian where the evidence is weak.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.filters import box_mean
from ..geometry.products import inner_products, inverse_root, multiply
from ..geometry.transfer import FREQUENCIES, MAX_TRANSFER, TransferFunction
from ..geometry.window_pair import PairWindow
from .parallel import parallel_map

SEGMENTS = (64, 32, 20)  # MS pixels along the side of a segment; smaller ones where gaps leave few of the larger
ENOUGH_SEGMENTS = 4
MIN_VALID = 0.3  # share of the weight of a segment
FLAT = 1e-9  # of the mean; the contrast of a constant plane by rounding
TAPER = 2  # MS pixels around gaps over which weights fall to 0
SHARP = TransferFunction.gaussian(0.3)  # brings the validity of PAN to the MS pixels
DEFAULT_GAIN = 0.3  # the usual value of tabulated sensors, where a scene gives no evidence
FIT_BAND = (0.04, 0.3)  # of the MS Nyquist frequency, where the bands' weights are fitted
SHIFT_BAND = (0.05, 0.7)  # where each segment's residual shift is fitted
QUALITY_BAND = (0.1, 0.8)  # where segments are compared with each other
MAX_SEGMENT_SHIFT = 1.0  # MS pixels from the scene's shift; a segment beyond it moved by itself, as clouds do
MIN_SHOWN = 0.5  # of the highest coherence; a segment below it shows noise alone
MIN_COHERENCE = 0.7  # of a segment, in units of the median of those that show more than noise
MAX_CONTRAST = 1.6  # factor by which a segment's transfer may differ from that median
NOISE_BAND = (0.86, 0.90, 0.94, 0.98)  # of PAN's Nyquist frequency, where its power is noise
NOISE_LOW = (0.08, 0.12, 0.16, 0.20)  # cycles per MS pixel, along the other axis
NOISE_SHARE = 0.6  # of that power is subtracted, as interpolated noise is not white; Landsat-7 scenes agree best by it
MIN_SIGNAL = 0.3  # share of PAN's power that is left when noise is subtracted
BEND = 0.06  # usual second difference of the function between FREQUENCIES
GAUSSIAN_ERROR = 0.25  # usual distance from the Gaussian of the same fall
LOW_ERRORS = (0.02, 0.08)  # usual distance from 1 at the two lowest FREQUENCIES
FLOOR = 0.02  # deviation, at each frequency, that averaging over segments does not reduce
LAST_FALL = (0.4, 1.0)  # quotient of the values at 1 and 0.9, as both signs of a frequency coincide at 1
DEFAULT_WEIGHT = 1.0 / 9.0  # of DEFAULT_GAIN in the Gaussian that estimates fall back to
ROUNDS = 12  # of alternating least squares; measured to suffice
KNOTS = np.array((0.0, *FREQUENCIES))

Array = NDArray[np.float64]
Spectrum = NDArray[np.complex128]


def measure_transfer(windows: Sequence[PairWindow], check: Callable[[], None] = lambda: None) -> TransferFunction:
    """Measure the transfer function over aligned windows of one scene; the default where it gives no evidence.

    Where PAN is given per band, their mean is used. `check` is called often and may raise to stop.
    """
    samples: list[tuple[Spectrum, Spectrum, float]] = []
    for side in SEGMENTS:
        by_window = parallel_map(functools.partial(_collect_spectra, side=side, check=check), windows)
        smaller = [spectra for some in by_window for spectra in some]
        if not samples or len(smaller) * side**2 > len(samples) * len(samples[0][0]) ** 2:
            samples = smaller
        if len(samples) >= ENOUGH_SEGMENTS:
            break
    if not samples:
        return TransferFunction.gaussian(DEFAULT_GAIN)
    pan, noise = np.stack([f[0] for f in samples]), np.array([f[2] for f in samples])
    bands = np.empty((len(samples[0][1]), *pan.shape), dtype=pan.dtype)  # (bands, segments, rows, columns)
    for number, (_, spectra, _) in enumerate(samples):
        check()
        bands[:, number] = spectra
    at = _Frequencies.of(len(samples[0][0]))
    return _separate(*_compare_segments(pan, bands, noise, at, check), at)


@dataclass(frozen=True)
class _Frequencies:
    """Frequencies of a segment's spectrum in MS Nyquist frequencies: rows (n, 1), columns (1, m), radius (n, m)."""

    rows: Array
    columns: Array
    radius: Array

    @classmethod
    def of(cls, side: int) -> _Frequencies:
        rows, columns = _list_frequencies(side)
        rows, columns = 2.0 * rows[:, None], 2.0 * columns[None, :]
        return cls(rows, columns, np.hypot(rows, columns))

    def mask_band(self, band: tuple[float, float]) -> NDArray[np.bool_]:
        return np.asarray((self.radius > band[0]) & (self.radius < band[1]))


def _collect_spectra(
    window: PairWindow, side: int, check: Callable[[], None]
) -> list[tuple[Spectrum, Spectrum, float]]:
    """Return the spectra below the MS Nyquist frequency of every segment of a window that is valid and not constant.

    Each is of PAN (n, m) and of the bands (bands, n, m), with the power of PAN's noise. Gaps are tapered in both.
    """
    ms, pan = (image.astype(np.float64) for image in (window.ms, window.pan))
    pan = pan if pan.ndim == 2 else pan.mean(axis=0)
    shape = window.ms_valid.shape
    spectra: list[tuple[Spectrum, Spectrum, float]] = []
    if min(shape) < side:
        return spectra
    weight = _taper_gaps(window.pan_at_ms(SHARP)[1])
    line = np.arange(side) - 0.5 * (side - 1)
    taper = np.outer(_taper(line, side), _taper(line, side))
    for top in _place_segments(shape[0], side):
        for left in _place_segments(shape[1], side):
            check()
            inner = weight[top : top + side, left : left + side]
            if float((taper * inner**2).sum()) < MIN_VALID * float(taper.sum()):
                continue
            axes, fine = [], []
            for start, spacing, first, size in zip((top, left), window.spacing, window.first, pan.shape):
                middle = first + spacing * (start + 0.5 * (side - 1))
                low = max(math.ceil(middle - 0.5 * spacing * side), 0)
                high = min(math.floor(middle + 0.5 * spacing * side) + 1, size)
                axes.append((np.arange(low, high) - middle) / spacing)
                fine.append(slice(low, high))
            maps = [np.maximum(1.0 - np.abs(p.clip(line[0], line[-1])[:, None] - line), 0.0) for p in axes]
            over_pan = multiply(multiply(maps[0], inner), maps[1].T) * np.outer(*(_taper(p, side) for p in axes))
            pan_segment = _centre(pan[tuple(fine)][None], over_pan)
            scale = 1.0 / (window.spacing[0] * window.spacing[1])
            bands = _centre(ms[:, top : top + side, left : left + side], taper * inner)
            if not (pan_segment.any() and bands.any()):
                continue
            of_pan = _transform(pan_segment, axes, _list_frequencies(side))[0] * scale
            of_bands = _transform(bands, [line, line], _list_frequencies(side))
            spectra.append((of_pan, of_bands, _estimate_noise_power(pan_segment, axes, window.spacing) * scale**2))
    return spectra


def _taper_gaps(valid: NDArray[np.bool_]) -> Array:
    """Return weights (h, w) from 0 in and near gaps to 1, smoothly; the border of the window does not count as one."""

    def average(image: Array) -> Array:
        return np.asarray(box_mean(np.pad(image, TAPER, mode="edge"), 2 * TAPER + 1))

    return average((average(valid.astype(np.float64)) > 1.0 - 1e-6).astype(np.float64))


def _list_frequencies(side: int) -> tuple[Array, Array]:
    """Return frequencies of rows and columns of a real spectrum, in cycles per MS pixel, as FFTs order them."""
    columns = np.arange(side // 2 + 1) / side
    return np.concatenate([columns[: -(-side // 2)], -columns[side // 2 : 0 : -1]]), columns


def _estimate_noise_power(pan: Array, axes: Sequence[Array], spacing: tuple[float, float]) -> float:
    """Estimate PAN's noise power: the power of PAN (1, h, w) near its own Nyquist frequency, where it is lowest."""
    low = np.array(NOISE_LOW)
    high = [0.5 * s * np.array(NOISE_BAND) for s in spacing]
    probes = ((high[0], high[1]), (high[0], low), (low, high[1]))
    powers = [float(np.median(_compute_power(_transform(pan, axes, probe)))) for probe in probes]
    return NOISE_SHARE * min(powers) / math.log(2.0)  # the median of an exponential distribution


def _place_segments(length: int, side: int) -> list[int]:
    """Return where segments of `side` begin that overlap by half and cover `length`."""
    count = -(-2 * (length - side) // side) + 1
    return [int(s) for s in np.linspace(0, length - side, count).round()]


def _taper(positions: Array, side: int) -> Array:
    """Evaluate a Hann window at positions in MS pixels from the middle of a segment."""
    return np.where(np.abs(positions) < 0.5 * side, np.cos(np.pi * positions / side) ** 2, 0.0)


def _centre(planes: Array, weight: Array) -> Array:
    """Subtract the weighted mean from planes (k, h, w) and multiply by the weight (h, w); 0 for constant planes.

    Where the weight is 0, planes may hold NaN.
    """
    filled = np.where(weight > 0.0, planes, 0.0)
    mean = (filled * weight).sum(axis=(1, 2), keepdims=True) / max(float(weight.sum()), 1e-30)
    centred = (filled - mean) * weight
    contrast = np.abs(centred).max(axis=(1, 2), keepdims=True)
    return np.where(contrast > FLAT * np.abs(mean), centred, 0.0)


def _transform(planes: Array, positions: Sequence[Array], frequencies: Sequence[Array]) -> Spectrum:
    """Transform planes (k, h, w) at positions in MS pixels by Fourier; frequencies in cycles per MS pixel."""
    rows, columns = (np.exp(-2j * np.pi * f[:, None] * p[None, :]) for p, f in zip(positions, frequencies))
    half = multiply(planes, np.ascontiguousarray(np.concatenate([columns.real, columns.imag]).T))
    parts = np.split(multiply(np.concatenate([rows.real, rows.imag]), half), 2, 1)
    (a, b), (c, d) = (np.split(part, 2, -1) for part in parts)
    return np.asarray((a - d) + 1j * (b + c))


def _compare_segments(
    pan: Spectrum, bands: Spectrum, noise: Array, at: _Frequencies, check: Callable[[], None]
) -> tuple[Array, Array]:
    """Combine the bands, align each segment, and average those that agree, as `_average` does."""
    power = _compute_power(pan)
    strength = (power * at.radius**2)[:, at.mask_band((0.2, 1.0))].mean(axis=1)
    weight = 1.0 / (strength + np.median(strength) + 1e-300)  # bright segments count no more than others
    kept = np.ones(len(pan), dtype=bool)
    for _ in range(2):
        check()
        weights = _fit_band_weights(pan, bands, weight * kept, at)
        check()
        combined = np.einsum("b,bsij->sij", weights, bands)
        combined, shifts = _remove_shifts(pan, combined, at)
        shared: Array = (pan.conj() * combined).real
        ms_power = _compute_power(combined)
        kept = _select_agreeing(shared, power, ms_power, shifts, at)
    return _average(power, shared, ms_power, noise, weight * kept)


def _average(power: Array, shared: Array, ms_power: Array, noise: Array, weight: Array) -> tuple[Array, Array]:
    """Return the transfer at each frequency (n, m) and its standard error.

    Segments (segments, n, m) have the power of PAN, its cross-spectrum with the combined bands, and the power of these;
    noise (segments,) is the power of PAN's, and the weight (segments,) is 0 where a segment disagrees.
    """
    used = weight[:, None, None]
    total, shared, other = ((used * v).sum(axis=0) for v in (power, shared, ms_power))
    clean = np.maximum(total - float(weight @ noise), MIN_SIGNAL * total)
    coherence = np.clip(shared**2 / np.maximum(total * other, 1e-300), 0.0, 0.999)
    count = 0.5 * used.sum() ** 2 / (used**2).sum()  # segments overlap by half
    variance = other / np.maximum(total, 1e-300) * (1.0 - coherence) / (2.0 * count) * (total / clean) ** 2
    return shared / np.maximum(clean, 1e-300), np.sqrt(variance + FLOOR**2)


def _compute_power(spectrum: Spectrum) -> Array:
    return np.asarray(np.square(spectrum.real) + np.square(spectrum.imag), dtype=np.float64)


def _fit_band_weights(pan: Spectrum, bands: Spectrum, weight: Array, at: _Frequencies) -> Array:
    """Fit weights (bands,) of the combination that follows PAN at low frequencies."""
    band = at.mask_band(FIT_BAND)
    scale = at.radius[band] * np.sqrt(weight)[:, None]
    target, parts = (pan[:, band] * scale).ravel(), (bands[:, :, band] * scale).reshape(len(bands), -1)
    target, parts = (np.ascontiguousarray(v).view(np.float64) for v in (target, parts))  # real and imaginary parts
    gram = inner_products(parts, parts)
    root = inverse_root(gram + (1e-3 * np.trace(gram) / len(gram) + 1e-300) * np.eye(len(gram)))
    return np.asarray(root.T @ (root @ (parts * target).sum(1)))


def _remove_shifts(pan: Spectrum, combined: Spectrum, at: _Frequencies) -> tuple[Spectrum, Array]:
    """Align each segment with PAN by least squares on phases; returns also the shifts in MS pixels, (segments, 2)."""
    band = at.mask_band(SHIFT_BAND)
    along = np.stack([np.broadcast_to(0.5 * f, at.radius.shape)[band] for f in (at.rows, at.columns)], axis=1)
    shifts, moved = np.zeros((len(pan), 2)), combined
    for _ in range(3):
        cross = (pan.conj() * moved)[:, band] * at.radius[band]
        inner = np.maximum(cross.real, 0.0)
        slope = multiply(cross.imag, along)
        bend = multiply(inner, (along[:, :, None] * along[:, None, :]).reshape(len(along), 4)).reshape(-1, 2, 2)
        bend += (1e-3 * np.trace(bend, axis1=1, axis2=2) + 1e-300)[:, None, None] * np.eye(2)
        shifts += np.clip(np.linalg.solve(2.0 * np.pi * bend, slope[:, :, None])[:, :, 0], -1.0, 1.0)
        turns = 0.5 * (at.rows * shifts[:, 0, None, None] + at.columns * shifts[:, 1, None, None])
        moved = combined * np.exp(-2j * np.pi * turns)
    return moved, shifts


def _select_agreeing(cross: Array, power: Array, ms_power: Array, shifts: Array, at: _Frequencies) -> NDArray[np.bool_]:
    """Mark segments that show the scene; clouds and water are moved, incoherent, or of another contrast."""
    weight = np.where(at.mask_band(QUALITY_BAND), at.radius**1.5, 0.0)
    shared, pan_power, other = ((v * weight).sum(axis=(1, 2)) for v in (cross, power, ms_power))
    coherence = shared / np.sqrt(np.maximum(pan_power * other, 1e-300))
    contrast = np.maximum(shared / np.maximum(pan_power, 1e-300), 1e-3)
    shown = coherence >= MIN_SHOWN * coherence.max()  # else most of a scene under water would decide what is usual
    near = np.abs(shifts - np.median(shifts[shown], axis=0)).max(axis=1) < MAX_SEGMENT_SHIFT
    alike = np.abs(np.log(contrast / np.median(contrast[shown]))) < math.log(MAX_CONTRAST)
    kept = (coherence >= MIN_COHERENCE * np.median(coherence[shown])) & near & alike
    return np.asarray(kept if kept.any() else np.ones_like(kept))


def _separate(ratio: Array, error: Array, at: _Frequencies) -> TransferFunction:
    """Fit functions along both axes whose product is nearest to the ratios (n, m) with these errors."""
    nyquist = (np.abs(at.rows) > 0.98) | (at.columns > 0.98)  # both of its signs fall together there
    weight = np.where((at.radius > 0.03) & ~nyquist, error**-2.0, 0.0)
    hats = [_evaluate_hats(np.abs(f).ravel()) for f in (at.rows, at.columns)]
    values = [np.exp(-1.2 * KNOTS**2) for _ in hats]
    for _ in range(ROUNDS):
        for axis, other in ((0, 1), (1, 0)):
            across = (hats[other] @ values[other])[None, :] if axis == 0 else (hats[other] @ values[other])[:, None]
            pull = (weight * across**2).sum(axis=1 - axis)
            goal = (weight * across * ratio).sum(axis=1 - axis)
            values[axis] = _solve(hats[axis], pull, goal, values[axis])
        level = math.sqrt(max(values[0][0], 1e-3) / max(values[1][0], 1e-3))
        values = [values[0] / level, values[1] * level]
    scaled = np.array([np.clip(v[1:] / max(v[0], 1e-3), 0.0, MAX_TRANSFER) for v in values])
    scaled[:, -1] = np.clip(scaled[:, -1], LAST_FALL[0] * scaled[:, -2], LAST_FALL[1] * scaled[:, -2])
    return TransferFunction(*map(tuple, scaled.tolist()))


def _solve(hats: Array, pull: Array, goal: Array, before: Array) -> Array:
    """Solve for the values at 0 and FREQUENCIES, (11,), by least squares with the priors."""
    gaussian = _fit_gaussian(before)
    priors = np.r_[1e-9, [e**-2.0 for e in LOW_ERRORS], np.full(len(FREQUENCIES) - 2, GAUSSIAN_ERROR**-2.0)]
    centre = np.r_[before[0], np.full(2, before[0]), gaussian[3:]]
    unit = np.eye(len(before))
    bends = np.diff(np.concatenate([unit[1:2], unit]), 2, axis=0)  # second differences of an even function from 0 on
    gram = hats.T @ (pull[:, None] * hats) + bends.T @ bends / BEND**2 + np.diag(priors)
    return np.asarray(np.linalg.inv(gram) @ (hats.T @ goal + priors * centre))


def _fit_gaussian(values: Array) -> Array:
    """Fit the Gaussian of the same fall, drawn a little towards DEFAULT_GAIN."""
    level = max(values[0], 1e-3)
    logs = np.log(np.clip(values[1:] / level, 1e-2, 1.5))
    fall = min(float((logs * KNOTS[1:] ** 2).sum() / (KNOTS[1:] ** 4).sum()), -0.2)
    fall += DEFAULT_WEIGHT * (math.log(DEFAULT_GAIN) - fall)
    return np.asarray(level * np.exp(fall * KNOTS**2))


def _evaluate_hats(frequencies: Array) -> Array:
    """Return weights (n, 11) of the values at 0 and FREQUENCIES in linear interpolation."""
    return np.stack([np.interp(frequencies, KNOTS, unit) for unit in np.eye(len(FREQUENCIES) + 1)], axis=1)
