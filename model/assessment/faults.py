"""Faults of sharpened rasters, measured on pieces: shift, too much or too little detail, colours, seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.filters import Mask, dilate, local_mean, parabola_peak
from ..geometry.resampling import CUBIC_REACH, centres, covered, cubic_resampler, resample
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..quality.full_resolution import interpolate_ms, low_pan
from ..quality.indices import Image, sam
from .candidate import values_at_ms
from .job import BandFigures

BOX = 5  # PAN pixels of the box whose mean is subtracted to leave details
REACH = 8  # PAN pixels within which a shift is searched
RIM = 8  # PAN pixels at the sides of a piece that are left out
FLAT_BOX, FLAT_SHARE = 33, 0.3  # side of a box in PAN pixels, and the share of flat pixels from which it is near flat
SEAM = 12.0  # times the usual step between two lines; larger steps are seams
CENTRED = 0.05  # of the root mean square of a band; shares of a smaller mean are not meaningful
FLAT = 1e-6  # of the largest value; smaller details are the rounding of 32-bit floats
# Of 161 crops of real scenes and as many results of Brovey, 2 have a false seam with these limits, 13 without.
MIN_LASTING = 0.6  # of a seam's step, by which the means of both sides differ
MAX_RINGING = 0.3  # of a seam's step, that a step of the other sign nearby may have
RINGING = 4  # PAN pixels around a line in which such steps are searched
MIN_LINE = 96  # PAN pixels of a line in which a seam is searched


@dataclass(frozen=True)
class AssessedPiece:
    """A piece of the scene with its shift corrected, and a result over its PAN: fused (bands, H, W), valid (H, W)."""

    pair: PairWindow
    fused: Image
    valid: Mask


def measure_bands(
    pieces: Sequence[AssessedPiece], transfer: TransferFunction, names: Sequence[str]
) -> tuple[tuple[BandFigures, ...], float]:
    """Measure colours and detail of each band, and the mean angle between MS and the degraded result."""
    parts = [values_at_ms(p.pair, p.fused, p.valid, transfer) for p in pieces]
    low, ms = (np.concatenate(i, axis=1) for i in zip(*parts))
    details = [_measure_detail(p, transfer) for p in pieces]
    figures = []
    fine, coarse = np.sum([d[0] for d in details], axis=0), np.sum([d[1] for d in details], axis=0)
    fine_pan, coarse_pan = (np.broadcast_to(sum(d[i] for d in details), len(names)) for i in (2, 3))
    for band, name in enumerate(names):
        mean, spread = abs(float(ms[band].mean())), float(np.sqrt((ms[band] ** 2).mean()))
        mean = mean if mean > CENTRED * spread else float("nan")
        difference = low[band] - ms[band]
        measurable = min(fine_pan[band], coarse_pan[band], coarse[band]) > 0.0
        detail = (fine[band] / fine_pan[band]) / (coarse[band] / coarse_pan[band]) if measurable else float("nan")
        error = float(np.sqrt((difference**2).mean()))
        figures.append(BandFigures(name, float(difference.mean()) / mean, error / mean, float(detail)))
    return tuple(figures), sam(ms[:, None], low[:, None])


def _measure_detail(piece: AssessedPiece, transfer: TransferFunction) -> tuple[Image, Image, Image, Image]:
    """Return products of the bands' details with PAN's, in the result and reduced, and PAN's squares there.

    The squares are those of one PAN (1,), or of that of each band (bands,).
    """
    pair = piece.pair
    pan = _detail_of_pan(pair, transfer)
    bands = piece.fused - interpolate_ms(pair)
    inner = _trim_rim(_find_valid(piece))
    means = pan[:, inner].mean(1)[:, None, None] if inner.any() else 0.0
    pan = np.where(inner & _has_detail(pan, pair), pan - means, 0.0)
    coarse_pan, coarse_valid = pair.pan_at_ms(transfer)
    hp_pan = _remove_local_mean(coarse_pan.reshape(-1, *coarse_valid.shape))
    hp_pan = np.where(coarse_valid & _has_detail(hp_pan, pair), hp_pan, 0.0)
    hp_ms = _remove_local_mean(pair.ms)
    pairs = ((bands, pan), (hp_ms, hp_pan), (pan, pan), (hp_pan, hp_pan))
    fine, coarse, fine_pan, coarse_pan = ((first * second).sum((1, 2)) for first, second in pairs)
    return fine, coarse, fine_pan, coarse_pan


def _detail_of_pan(pair: PairWindow, transfer: TransferFunction) -> Image:
    """Return the detail of PAN beyond MS sharpness, (1, H, W), or of that of each band (bands, H, W)."""
    return (pair.pans.astype(np.float64) - low_pan(pair, transfer)).reshape(-1, *pair.pan_valid.shape)


def _has_detail(detail: Image, pair: PairWindow) -> Mask:
    """Tell for each plane (n, h, w) of PAN's details whether they are more than rounding, (n, 1, 1)."""
    return np.asarray(np.abs(detail).max((1, 2), keepdims=True) > FLAT * float(np.abs(pair.pans).max()))


def _remove_local_mean(image: Image) -> Image:
    values = image.astype(np.float64)
    return values - local_mean(values, BOX)


def _find_valid(piece: AssessedPiece) -> Mask:
    """Mark where a result, PAN and MS are all valid, (H, W)."""
    return piece.valid & piece.pair.valid_on_pan(piece.pair.window)


def _trim_rim(valid: Mask) -> Mask:
    inner = np.zeros_like(valid)
    inner[RIM:-RIM, RIM:-RIM] = valid[RIM:-RIM, RIM:-RIM]
    return inner


def shift_from_pan(pieces: Sequence[AssessedPiece]) -> tuple[float, float]:
    """Measure the shift (row, column), in PAN pixels, of a result's details from PAN's, at the highest correlation.

    NaN where one of them has no details.
    """
    scores = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    for piece in pieces:
        inner = _trim_rim(piece.valid & piece.pair.pan_valid)
        pan = np.where(inner, _remove_local_mean(piece.pair.led.pan), 0.0)
        bands = np.where(inner, _remove_local_mean(piece.fused), 0.0)
        spread = bands.std((1, 2), keepdims=True)
        bands = np.divide(bands, spread, out=np.zeros_like(bands), where=spread > 0.0)
        if not pan.any() or not _has_detail(pan[None], piece.pair.led).all():
            continue
        spectrum = np.conj(np.fft.rfft2(pan)) * np.fft.rfft2(bands).sum(0)
        correlation = np.fft.irfft2(spectrum, s=pan.shape) / float(pan.std())
        scores += np.roll(correlation, (REACH, REACH), (0, 1))[: 2 * REACH + 1, : 2 * REACH + 1]
    if not scores.any():
        return float("nan"), float("nan")
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    return _refine_peak(scores[:, column], int(row)) - REACH, _refine_peak(scores[row], int(column)) - REACH


def aligned(piece: AssessedPiece, shift: tuple[float, float]) -> AssessedPiece:
    """Move a result by its shift from PAN, so that its other faults are measured as if it had none."""
    lines = [(n, centres(n, away, 1.0)) for n, away in zip(piece.valid.shape, shift)]
    rows, columns = (cubic_resampler(n, positions) for n, positions in lines)
    inside = np.outer(*((positions >= 0) & (positions <= n - 1) for n, positions in lines))
    return replace(
        piece, fused=resample(piece.fused, rows, columns), valid=covered(piece.valid, rows, columns) & inside
    )


def _refine_peak(line: Image, top: int) -> float:
    """Locate the top of the parabola through the highest value and its neighbours."""
    if not 0 < top < len(line) - 1:
        return float(top)
    return float(top + parabola_peak(*line[top - 1 : top + 2]))


def seams(pieces: Sequence[AssessedPiece], transfer: TransferFunction) -> tuple[tuple[str, float], ...]:
    """Find straight steps that neither MS nor PAN explains: "column 512", for example, and times the usual step."""
    sizes: dict[str, float] = {}
    for piece in pieces:
        pair = piece.pair
        pans = _detail_of_pan(pair, transfer)
        rest = piece.fused - interpolate_ms(pair)
        reach = round(CUBIC_REACH * pair.ratio)  # MS is interpolated from beyond a gap's edge within it
        inner = _trim_rim(~dilate(~_find_valid(piece), reach)) & ~_find_near_flat(pair.led.pan)
        for band, fused_band, pan in zip(rest, piece.fused, np.broadcast_to(pans, rest.shape)):
            if float(np.abs(band).max()) <= FLAT * float(np.abs(fused_band).max()):
                continue  # a constant band, whose interpolation is rounded
            power = float((pan[inner] ** 2).sum())
            share = float((band[inner] * pan[inner]).sum()) / power if power else 0.0
            left = np.where(inner, band - share * pan, np.nan)
            for word, lines, corner in (("column", left, pair.pan_corner[1]), ("row", left.T, pair.pan_corner[0])):
                for line, times in _find_steps(lines, reach):
                    key = f"{word} {corner + line + 1}"
                    sizes[key] = max(sizes.get(key, 0.0), times)
    return tuple(sorted(sizes.items(), key=lambda item: -item[1]))


def _find_near_flat(pan: Image) -> Mask:
    """Return where PAN is flat or nearly so, (H, W): undeclared collars and saturated roofs have straight edges."""
    flat = np.zeros(pan.shape, dtype=np.float32)
    flat[1:, 1:] = (pan[1:, 1:] == pan[:-1, 1:]) & (pan[1:, 1:] == pan[1:, :-1])
    return local_mean(flat, FLAT_BOX) > FLAT_SHARE


def _find_steps(left: Image, reach: int) -> list[tuple[int, float]]:
    """Find steps between neighbouring columns that stand out from all others: their places, in usual steps."""
    steps = np.diff(left, axis=1)
    counts = np.isfinite(steps).sum(0)
    long = np.flatnonzero(counts >= MIN_LINE)
    if len(long) < 2 * RIM:
        return []
    middles = np.zeros(len(counts))  # medians, which edges of things on the ground do not move
    middles[long] = np.nanmedian(steps[:, long], axis=0)
    usual = 1.4826 * float(np.median(np.abs(middles[long])))
    times = np.abs(middles) / max(usual, 1e-12)
    found = np.flatnonzero((times > SEAM) & (usual > 0.0))
    return [(int(i), float(times[i])) for i in found if _is_lasting(left, middles, int(i), reach)]


def _is_lasting(left: Image, middles: Image, line: int, reach: int) -> bool:
    """Tell a seam, beyond which the level stays another, from an edge on the ground, along which the rest rings.

    `middles` are the usual steps after each column, `reach` is a width in columns beyond which no edge rings.
    """
    step, around = middles[line], middles[max(line - RINGING, 0) : line + RINGING + 1]
    sides = left[:, max(line + 1 - reach, 0) : line + 1], left[:, line + 1 : line + 1 + reach]
    change = sides[1].mean(1) - sides[0].mean(1)
    change = change[np.isfinite(change)]
    return (
        len(change) >= MIN_LINE
        and float(np.median(change)) / step >= MIN_LASTING
        and float((around / step).min()) >= -MAX_RINGING
    )
