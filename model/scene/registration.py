"""Registration of PAN and MS from their pixels: residual shift, and sharpness of MS relative to PAN.

The shift is where the multiple correlation of the high-passed MS bands with high-passed PAN, brought to the MS pixels,
is highest. The transfer function is measured where that shift is corrected. A shift of many pixels is found at MS
resolution: Fourier transforms give that correlation at every whole offset of MS pixels, over all windows together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.filters import Mask, high_pass, lower_median, parabola_peak, whole_boxes
from ..geometry.products import multiply
from ..geometry.resampling import Matrix
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from .detail_correlation import FIRST_TRANSFER, MAX_SHIFT, Correlation, Line, compute_whitening
from .parallel import parallel_map
from .statistics import MIN_PIXELS
from .transfer_measurement import DEFAULT_GAIN, measure_transfer

RELIABLE_CORRELATION = 0.6
EDGE = 1.0  # PAN pixels from the end of the search within which a shift is not a measurement
MIN_SAMPLES = 200
NEAREST_VOTES = 0.5  # PAN pixels around the median within which a block's own shift agrees
VOTE_SPREAD = 3.0  # times the median distance, the same limit where votes are scattered
MAX_LEFT_OUT = 0.9  # share of the blocks that may disagree; beyond it the shift is unknown
MANY_WINDOWS = 12  # from this number on, one in ROUGH_SHARE is searched first and the others only near its shift
ROUGH_SHARE = 5  # does not divide a row of windows, so that those few are spread over the scene
NEAR_REACH = 2  # PAN pixels around the shift of those few
MAX_DISAGREEING = 0.5  # share of the blocks without a shift there; beyond it all shifts are searched
LOCAL_REACH = 2.0  # PAN pixels around the scene's shift in which a window's own is searched
LOCAL_STEP = 1.0
WIDE_REACH = 50  # PAN pixels searched in each direction
CLEAR_PEAK = 1.25  # the peak's correlation over the largest one elsewhere
PEAK_RADIUS = 3  # MS pixels around the peak that belong to it
MIN_CORRELATION = 0.4  # of the peak
WEAK_DIRECTION = 1e-4  # power of a combination of bands of norm 1; weaker ones are noise

Shift = tuple[float, float]  # rows, columns


@dataclass(frozen=True)
class Registration:
    """Measured shift (row, column) of MS in PAN pixels, transfer function, and correlations in [0, 1].

    `reliable` is False for scenes of low texture, water or cloud; shift and transfer are then defaults. `left_out` is
    the share of the scene that does not follow the shift. `local` holds each window's own shift, None where unknown.
    """

    shift: Shift
    transfer: TransferFunction
    correlation: float
    correlation_unshifted: float
    reliable: bool
    left_out: float = 0.0
    local: tuple[Shift | None, ...] = ()

    @property
    def at_edge(self) -> bool:
        """True where the shift lies at the end of one search, so that it is not a measurement."""
        return max(abs(s) for s in self.shift) > MAX_SHIFT - EDGE

    @property
    def distortion(self) -> float:
        """The largest distance, in PAN pixels, of a window's own shift from the usual one."""
        shifts = np.array([s for s in self.local if s is not None])
        return float(np.hypot(*(shifts - np.median(shifts, axis=0)).T).max()) if len(shifts) else 0.0


def measure_registration(
    windows: Sequence[PairWindow],
    align: bool = True,
    transfer: TransferFunction | None = None,
    check: Callable[[], None] = lambda: None,
) -> Registration:
    """Measure shift (unless `align` is False) and transfer function (unless given) over sample windows of one scene.

    `check` is called often and may raise to stop.
    """
    curve = Correlation(windows, check)
    default, first = transfer or TransferFunction.gaussian(DEFAULT_GAIN), transfer or FIRST_TRANSFER
    if curve.count < MIN_SAMPLES:
        return Registration((0.0, 0.0), default, 0.0, 0.0, False)
    shift, left_out = (0.0, 0.0), 0.0
    if align:
        shift, kept = _search_shift(curve, windows, first)
        left_out = 1.0 - float(kept.mean())
        if left_out > MAX_LEFT_OUT:
            unshifted = curve(first, shift)
            return Registration(shift, default, unshifted, unshifted, False, left_out)
        curve.keep_blocks(kept)
        shift = _refine_shift(curve, first, shift, 0.5)
    measured = transfer or measure_transfer([w.shifted(shift) for w in curve.mask_left_out(windows)], check)
    if align:
        shift = _refine_shift(curve, measured, shift, 0.15)
    curve.equalise_sample_weights()
    best, unshifted = curve(measured, shift), curve(measured, (0.0, 0.0))
    if best < RELIABLE_CORRELATION:
        return Registration((0.0, 0.0), default, best, unshifted, False, left_out)
    local = _measure_local_shifts(curve, measured, shift)
    return Registration(shift, measured, best, unshifted, True, left_out, local)


def measure_sharpness(
    windows: Sequence[PairWindow], transfer: TransferFunction | None = None, check: Callable[[], None] = lambda: None
) -> Registration:
    """Measure the transfer function alone, as `measure_registration` does, over windows whose shift is corrected."""
    curve, measured = Correlation(windows, check), transfer or measure_transfer(windows, check)
    curve.equalise_sample_weights()
    best = curve(measured, (0.0, 0.0))
    return Registration((0.0, 0.0), measured, best, best, best >= RELIABLE_CORRELATION)


def _search_shift(curve: Correlation, windows: Sequence[PairWindow], transfer: TransferFunction) -> tuple[Shift, Mask]:
    """Vote over all shifts; of many windows, search most only near what a few of them agree on."""
    if len(windows) >= MANY_WINDOWS:
        few = Correlation(windows[::ROUGH_SHARE], curve.check)
        if few.count >= MIN_SAMPLES:
            rough, agreed = _vote_shift(few, transfer, (0, 0), MAX_SHIFT)
            limit = MAX_SHIFT - NEAR_REACH
            row, column = (min(max(round(s), -limit), limit) for s in rough)
            shift, kept = _vote_shift(curve, transfer, (row, column), NEAR_REACH)
            agree = min(agreed.mean(), kept.mean()) >= 1.0 - MAX_DISAGREEING
            if agree and max(abs(shift[0] - row), abs(shift[1] - column)) < NEAR_REACH - 0.5:
                return shift, kept
    return _vote_shift(curve, transfer, (0, 0), MAX_SHIFT)


def _vote_shift(
    curve: Correlation, transfer: TransferFunction, around: tuple[int, int], reach: int
) -> tuple[Shift, Mask]:
    """Return the median shift that the blocks see within `reach` of `around`, and a mask (blocks,) of those that agree.

    Clouds and their shadows move between the recordings of PAN and of MS; water and haze show noise alone.
    """
    offsets = range(-reach, reach + 1)
    columns = parallel_map(lambda x: curve.across(transfer, around[1] + x), offsets)

    def score_row(row: int) -> list[Line]:
        return [curve.by_block(curve.down(c, transfer, around[0] + row)) for c in columns]

    scores = np.array(parallel_map(score_row, offsets))
    flat = scores.reshape(-1, scores.shape[2])
    informative = (flat.max(0) >= RELIABLE_CORRELATION) & (np.bincount(curve.blocks) >= MIN_SAMPLES)
    if informative.mean() < 1.0 - MAX_LEFT_OUT:
        return (0.0, 0.0), np.zeros_like(informative)
    blocks = np.arange(scores.shape[2])
    rows, across = np.divmod(flat.argmax(0), len(offsets))
    peaks = np.stack([_find_peaks(scores[:, across, blocks]), _find_peaks(scores[rows, :, blocks].T)])
    votes = peaks + np.array(around)[:, None]
    middle = lower_median(votes[:, informative])
    away = np.abs(votes - middle[:, None]).max(0)
    near = away <= max(NEAREST_VOTES, VOTE_SPREAD * float(lower_median(away[informative])))
    return (float(middle[0]), float(middle[1])), informative & near


def _find_peaks(scores: np.ndarray) -> Line:
    """Locate the highest of scores (2 reach + 1, n) at steps around 0, between them by a parabola; (n,)."""
    best = scores[1:-1].argmax(0) + 1
    around = (scores[best + o, np.arange(scores.shape[1])] for o in (-1, 0, 1))
    return best - scores.shape[0] // 2 + parabola_peak(*around)


def _refine_shift(curve: Correlation, transfer: TransferFunction, shift: Shift, step: float) -> Shift:
    """Move to the top of the parabola through three points of each axis in turn."""
    moved = list(shift)
    for axis in (0, 1):
        scores = []
        for offset in (-step, 0.0, step):
            trial = moved.copy()
            trial[axis] += offset
            scores.append(curve(transfer, (trial[0], trial[1])))
        moved[axis] = float(np.clip(moved[axis] + step * parabola_peak(*scores), -MAX_SHIFT, MAX_SHIFT))
    return moved[0], moved[1]


def _measure_local_shifts(curve: Correlation, transfer: TransferFunction, shift: Shift) -> tuple[Shift | None, ...]:
    """Measure each window's own shift near the scene's, one axis after the other."""
    combined = curve.combination(curve.pan(transfer, shift))
    offsets = np.arange(-LOCAL_REACH, LOCAL_REACH + LOCAL_STEP / 2, LOCAL_STEP)
    columns = curve.across(transfer, shift[1])
    down = parallel_map(lambda o: curve.by_window(combined, curve.down(columns, transfer, shift[0] + o)), offsets)
    across = parallel_map(lambda o: curve.by_window(combined, curve.pan(transfer, (shift[0], shift[1] + o))), offsets)
    peaks = [s + LOCAL_STEP * _find_peaks(np.array(scores)) for s, scores in zip(shift, (down, across))]
    reliable = np.max(down, axis=0) >= RELIABLE_CORRELATION
    return tuple((float(r), float(c)) if t else None for r, c, t in zip(*peaks, reliable))


def find_coarse_shift(windows: Sequence[PairWindow]) -> Shift | None:
    """Find the shift (row, column) of MS in PAN pixels, to whole MS pixels; None where no offset is clearly best.

    The PAN of `windows` reaches WIDE_REACH and the blur beyond their MS.
    """
    spacing = windows[0].spacing
    reach = (int(WIDE_REACH / spacing[0]), int(WIDE_REACH / spacing[1]))
    pairs = [shared for shared in (_explain_offsets(window, reach) for window in windows) if shared is not None]
    if not pairs:
        return None
    explained, power = (np.sum(parts, axis=0) for parts in zip(*pairs))
    if not power.any():
        return None
    score = np.sqrt((explained / np.maximum(power, float(power.max()) * 1e-9)).clip(0.0, 1.0))
    row, column = map(int, np.unravel_index(int(score.argmax()), score.shape))
    elsewhere = score.copy()
    rows, columns = (slice(max(i - PEAK_RADIUS, 0), i + PEAK_RADIUS + 1) for i in (row, column))
    elsewhere[rows, columns] = 0.0
    at_edge = row in (0, score.shape[0] - 1) or column in (0, score.shape[1] - 1)
    peak = float(score[row, column])
    if at_edge or peak < MIN_CORRELATION or peak < CLEAR_PEAK * float(elsewhere.max()):
        return None
    return (row - reach[0]) * spacing[0], (column - reach[1]) * spacing[1]


def _explain_offsets(window: PairWindow, reach: tuple[int, int]) -> tuple[Matrix, Matrix] | None:
    """Return PAN's power that MS explains, and all of it, at every offset, (2 reach + 1, 2 reach + 1) each."""
    counted = whole_boxes(window.ms_valid)
    if int(counted.sum()) < MIN_PIXELS:
        return None
    details = high_pass(window.ms.astype(np.float64)) * counted
    flat = details.reshape(len(details), -1)
    mix = compute_whitening(flat, 0.0, WEAK_DIRECTION)
    if not len(mix):
        return None
    ms_valid = np.pad(np.ones_like(window.ms_valid), [(r, r) for r in reach], constant_values=True)
    corner = (window.ms_corner[0] - reach[0], window.ms_corner[1] - reach[1])
    wide = replace(window, ms=window.ms[:0], ms_valid=ms_valid, band_valid=None, ms_corner=corner)
    pan, pan_valid = wide.pan_at_ms(FIRST_TRANSFER)
    pan_detail = high_pass(pan.astype(np.float64)) * whole_boxes(pan_valid)
    rows, columns = 2 * reach[0] + 1, 2 * reach[1] + 1

    def correlate(image: Matrix, over: Matrix) -> Matrix:
        """Sum the product of image and over at every offset."""
        spectrum = np.fft.rfft2(over) * np.fft.rfft2(image, over.shape).conj()
        return np.fft.irfft2(spectrum, over.shape)[..., :rows, :columns]

    basis = multiply(mix, flat).reshape(-1, *details.shape[1:])
    explained = (correlate(basis, pan_detail) ** 2).sum(0)
    return explained, np.maximum(correlate(counted.astype(np.float64), pan_detail**2), 0.0)
