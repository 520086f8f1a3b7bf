"""Assessment of results: open, relate, measure, evaluate, report."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import read_small_file
from ..geometry.grids import Placement, Window, register
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..progress import Progress, format_duration
from ..quality.classical import prepare
from ..quality.comparison import METHODS, Figures, ReducedScene
from ..quality.full_resolution import block_qualities
from ..quality.indices import BLOCK, BlockQualities, Check, measure_indices
from ..raster.aligning import align_pair, correct_windows, read_without_fill
from ..raster.delivery import check_place
from ..raster.pixel_types import INTEGER_TYPES
from ..raster.reader import Raster
from ..raster.stack import join_bands
from ..raster.windows import INTERPOLATION_MARGIN, ms_window, open_pair, read_pair, sample_scene, small_scene
from ..scene.alignment_measurement import AlignmentMeasurement
from ..scene.fill_values import FillValue, find_fill, without_fill
from ..scene.guides import add_guides, lead_windows
from ..scene.pieces import choose_pieces
from ..scene.registration import Registration, measure_registration
from ..weight_sets import bundled_files
from ..wording import format_signed
from .candidate import Candidate, fitted, open_candidate
from .faults import AssessedPiece, aligned, measure_bands, seams, shift_from_pan
from .job import AssessedRaster, AssessJob, AssessResult
from .maps import BlockMap, write_map
from .report import Shown, write_report
from .verdict import verdict

MAX_WHOLE_SCENE = 2**21  # PAN pixels; larger scenes are measured on pieces
PIECE = 512  # PAN pixels along the side of a piece of a larger scene
PIECES_PER_AXIS = 3
MIN_SHIFT = 0.25  # PAN pixels; a result that is further off is moved back before its other faults are measured
HALF_CHECKS = 10  # for a cancel, after which half of a part is reported whose number of checks is unknown
OURS = "OTFM"
UNNAMED = "OUTPUT"  # name that QGIS gives a temporary raster
MAX_HASH_BYTES = 1024  # of the file that holds one checksum
WEIGHTS = "OTFM_WEIGHTS_SHA256"  # metadata with the checksum of the weights by which the plugin made a raster


@dataclass(frozen=True)
class MeasuredScene:
    """An open pair and its measurements, as fusion makes them; `placement` has the shift corrected, `ms` the rest."""

    pan: Raster
    ms: Raster
    placement: Placement
    registration: Registration
    sample: tuple[PairWindow, ...]
    fills: tuple[Sequence[FillValue], Sequence[FillValue]]
    displacement: AlignmentMeasurement | None = None

    @classmethod
    def of(cls, pan: Raster, ms: Raster, check: Check = lambda: None) -> MeasuredScene:
        """Measure a pair on a sample of its windows, undeclared fill left out. `check` may raise to stop."""
        placement, windows = register(pan.grid, ms.grid), []
        for window in sample_scene(pan, ms, placement):
            check()
            windows.append(window)
        ms_fill = find_fill([(w.ms, w.ms_valid) for w in windows])
        fills = ms_fill, find_fill([(w.pan_planes, w.pan_valid) for w in windows])
        sample = [without_fill(w, *fills) for w in windows]
        leads = lead_windows(sample)
        registration = measure_registration(leads, check=check)
        placed = [w.shifted(registration.shift) for w in leads]
        registration, displacement = align_pair(ms, placed, placement, registration, check=check)
        sample = add_guides(correct_windows(ms, sample), registration.transfer, registration.shift)
        return cls(pan, ms, placement.moved(registration.shift), registration, tuple(sample), fills, displacement)

    @property
    def transfer(self) -> TransferFunction:
        """Transfer function of MS relative to PAN."""
        return self.registration.transfer

    @property
    def rounded(self) -> bool:
        """True where the data are integers."""
        return self.ms.type in INTEGER_TYPES

    @property
    def shared(self) -> Window:
        """Window of PAN that it shares with MS."""
        return self.placement.overlap.clipped(self.pan.grid.window)

    def reduced(self, ratio: float = 0.0, transfer: TransferFunction | None = None) -> ReducedScene | None:
        """Reduce the scene by its own ratio and transfer function where none are given."""
        whole = read_without_fill(self.ms, lambda: small_scene(self.pan, self.ms, self.placement), self.fills)
        whole = whole and replace(whole, guides=self.sample[0].guides)
        pieces = [whole] if whole else choose_pieces(self.sample, self.registration)
        return ReducedScene.of(
            pieces, ratio or self.placement.ratio, transfer or self.transfer, self.ms.outputs, self.ms.offsets.tolist(),
            float(self.pan.offsets[0]), self.rounded,
        )  # fmt: skip

    def read(self, window: Window) -> PairWindow:
        """Read PAN of a window and the wanted bands of the MS over it, in the numbers of the files."""
        around = ms_window(self.placement, window, INTERPOLATION_MARGIN).clipped(self.ms.grid.window)
        place = self.pan, self.ms, self.placement, around, self.placement.ratio
        pair = read_without_fill(self.ms, lambda: read_pair(*place), self.fills)
        (top, left), wanted = pair.pan_corner, [i for i in self.ms.outputs if i >= 0]
        part = Window(window.left - left, window.top - top, window.width, window.height)
        pair = replace(pair, band_valid=None).cropped(part)
        offsets = self.ms.offsets[wanted, None, None].astype(np.float32)
        guides = self.sample[0].guides
        if guides:
            guides = guides.with_bands(wanted).raised(offsets.ravel().tolist())
            return replace(pair, ms=pair.ms[wanted] + offsets, guides=guides)
        return replace(pair, ms=pair.ms[wanted] + offsets, pan=pair.pan + float(self.pan.offsets[0]))


def assess(job: AssessJob, progress: Progress | None = None) -> AssessResult:
    """Assess results of any tool against their PAN and MS and write the report. Raises PansharpenError."""
    started, progress = time.monotonic(), progress or Progress()
    job = replace(job, ms=join_bands(job.ms, job.more_ms), more_ms=())
    sources = (job.pan, job.ms, *job.fused)
    check_place(job.report, [s.gdal_name for s in sources])
    with open_pair(job.pan, job.ms) as (pan, ms), ExitStack() as open_ones:
        files = [Path(s.name).stem for s in job.fused]
        candidates = [open_candidate(s, pan, n) for s, n in zip(job.fused, _make_names(job.names or files))]
        for candidate in candidates:
            open_ones.callback(candidate.raster.close)
        measuring, comparing, reducing, reporting = _split_progress(progress, candidates)
        scene = MeasuredScene.of(pan, ms, _count_checks(measuring))
        progress.log(
            f"Measured shift of MS against PAN: {_format_shift(scene.registration)}; "
            f"MTF gain of MS at Nyquist: {scene.transfer.gain:.3f}."
        )
        windows = _choose_windows(scene, candidates)
        pairs = [scene.read(w) for w in windows]
        candidates = [_note_left_out(fitted(c, pairs, scene.transfer, scene.shared)) for c in candidates]
        shown = _measure_images(scene, candidates, windows, pairs, comparing)
        small = scene.reduced()
        reduced = _compare_reduced(scene, small, candidates, _count_checks(reducing))
        reporting.report(0.0)
        made, yardsticks = shown[: len(candidates)], [s.figures for s in shown[len(candidates) :]]
        verdicts = tuple(
            verdict(s.figures, yardsticks, _name_method(_find_weights(c)), reduced, scene.registration.shift)
            for s, c in zip(made, candidates)
        )
        maps = tuple(
            write_map(s.map, pan, job.maps / f"{f}_blocks.tif") for s, f in zip(made, _make_names(files)) if job.maps
        )
        result = AssessResult(
            job.report, verdicts, tuple(s.figures for s in shown), reduced, maps, time.monotonic() - started
        )
        write_report(
            job, result, made, scene.transfer, scene.displacement, _list_facts(scene, small, candidates, windows)
        )
    _log_result(result, progress)
    return result


def _split_progress(progress: Progress, candidates: Sequence[Candidate]) -> list[Progress]:
    """Return the progress of the parts, by the seconds that each took for 4096 x 4096 PAN pixels."""
    remade = len(set(filter(None, map(_find_weights, candidates))))
    seconds = np.array([7.0, 6.3 * (len(candidates) + len(METHODS)), 6.0 + 29.0 * remade, 7.0])
    ends = np.cumsum(seconds) / seconds.sum()
    return [progress.part(start, end) for start, end in zip([0.0, *ends], ends)]


def _count_checks(progress: Progress) -> Check:
    """Return a check for a cancel that also reports a part whose number of checks is unknown."""
    counter = itertools.count(1)

    def check() -> None:
        progress.check()
        count = next(counter)
        progress.report(count / (count + HALF_CHECKS))

    return check


def _make_names(labels: Sequence[str]) -> list[str]:
    """Name results: by number where a temporary file has no name, and with it where two are alike."""
    names = [f"result {i}" if n == UNNAMED else n for i, n in enumerate(labels, start=1)]
    return [n if names.count(n) == 1 else f"{n} ({i})" for i, n in enumerate(names, start=1)]


def _format_shift(registration: Registration) -> str:
    return f"{format_signed(registration.shift[0])} rows, {format_signed(registration.shift[1])} columns"


def _choose_windows(scene: MeasuredScene, candidates: Sequence[Candidate]) -> list[Window]:
    """Choose windows of PAN to measure: all that the results share, or pieces spread over it, on whole blocks."""
    shared = scene.shared
    for candidate in candidates:
        shared = shared.clipped(candidate.window)
    if min(shared.width, shared.height) < 2 * BLOCK:
        raise InputError(
            f"PAN, MS and the results share {max(shared.width, 0)} x {max(shared.height, 0)} PAN pixels; {2 * BLOCK} x "
            f"{2 * BLOCK} are needed. Choose the results of these rasters."
        )
    if shared.width * shared.height <= MAX_WHOLE_SCENE:
        return [shared]

    def place_pieces(length: int) -> list[int]:
        count = min(PIECES_PER_AXIS, max(length // PIECE, 1))
        return [int(s) // BLOCK * BLOCK for s in np.linspace(0, max(length - PIECE, 0), count)]

    return [
        Window(shared.left + left, shared.top + top, PIECE, PIECE).clipped(shared)
        for top in place_pieces(shared.height)
        for left in place_pieces(shared.width)
    ]


def _measure_images(
    scene: MeasuredScene,
    candidates: Sequence[Candidate],
    windows: Sequence[Window],
    pairs: Sequence[PairWindow],
    progress: Progress,
) -> list[Shown]:
    """Measure each result, then interpolation and the classical methods: figures, block map and pieces."""
    shown: list[Shown] = []
    count = len(candidates) + len(METHODS)
    for number, (name, places, pieces) in enumerate(_read_images(scene, candidates, windows, pairs)):
        part = progress.part(number / count, (number + 1) / count)
        candidate = candidates[number] if number < len(candidates) else None
        shown.append(_measure_image(scene, name, places, windows, pieces, candidate, part))
    return shown


def _read_images(
    scene: MeasuredScene, candidates: Sequence[Candidate], windows: Sequence[Window], pairs: Sequence[PairWindow]
) -> Iterator[tuple[str, Sequence[int], list[AssessedPiece]]]:
    """Yield name, bands of MS by their places among those wanted, and pieces of each result and yardstick."""
    for c in candidates:
        yield c.name, c.bands, [AssessedPiece(p.with_bands(c.bands), *c.read(w)) for p, w in zip(pairs, windows)]
    prepared = [prepare(p, scene.transfer, p.pan_valid) for p in pairs]
    for name, method in METHODS.items():
        yield (
            name,
            range(len(pairs[0].ms)),
            [AssessedPiece(p, q.fuse(method), p.pan_valid) for p, q in zip(pairs, prepared)],
        )


def _measure_image(
    scene: MeasuredScene,
    name: str,
    places: Sequence[int],
    windows: Sequence[Window],
    pieces: Sequence[AssessedPiece],
    candidate: Candidate | None,
    progress: Progress,
) -> Shown:
    """Compute figures and block map of an image over the pieces, of some of the wanted bands of MS.

    `candidate` is None for yardsticks. Raises InputError where it has no whole block.
    """
    transfer, blocks = scene.transfer, []
    for number, piece in enumerate(pieces, start=1):
        blocks.append(block_qualities(piece.pair, piece.fused, transfer, scene.rounded, progress.check, piece.valid))
        progress.report(0.8 * number / len(pieces))
    whole = BlockQualities.joined(blocks)
    if not len(whole.spectral):
        raise InputError(
            f"FUSED {name} has no whole block of {BLOCK} x {BLOCK} valid pixels where PAN and MS are valid. Choose a "
            "larger part of the scene."
        )
    numbers = [scene.ms.bands[i] for i in places]
    names = [scene.ms.dataset.GetRasterBand(n).GetDescription() or f"band {n}" for n in numbers]
    shift, in_place = shift_from_pan(pieces) if candidate else None, pieces
    if shift and math.hypot(*shift) >= MIN_SHIFT:
        in_place = [aligned(p, shift) for p in pieces]
    bands, angle = measure_bands(in_place, transfer, names)
    figures = AssessedRaster(name, measure_indices(whole), angle, shift, bands)
    if candidate:
        steps = seams(in_place, transfer)
        figures = replace(figures, seams=steps, notes=candidate.notes, stretched=candidate.stretched)
    progress.report(1.0)
    return Shown(figures, BlockMap.of(windows, blocks), tuple(pieces))


def _compare_reduced(
    scene: MeasuredScene, small: ReducedScene | None, candidates: Sequence[Candidate], check: Check
) -> dict[str, Figures]:
    """Compute figures at reduced resolution of all methods, and of the plugin where results came from it."""
    if small is None:
        return {}
    figures = small.compare_methods(check=check)
    for path in filter(None, map(_find_weights, candidates)):
        if _has_network() and _name_method(path) not in figures:
            from ..fusion.job import FusionJob, FusionOptions
            from ..fusion.quality_estimate import compare_job

            with suppress(ValueError):  # too few pixels
                job = FusionJob(scene.pan.source, scene.ms.source, Path(), FusionOptions(path))
                figures[_name_method(path)] = compare_job(small, job, check)
    return figures


def _has_network() -> bool:
    """Tell whether the packages that the network needs can be loaded here."""
    try:
        import torch

        return torch.from_numpy(np.zeros(1)).numel() == 1  # fails where NumPy and torch do not fit
    except Exception:  # a broken torch raises anything
        return False


def _name_method(weights: Path | None) -> str:
    """Return the name of the plugin with some weights at reduced resolution."""
    return f"{OURS} ({weights.stem})" if weights else ""


def _find_weights(candidate: Candidate) -> Path | None:
    """Find the weights by which the plugin made a result; None where it did not, or with others."""
    for path in bundled_files():
        with suppress(OSError, IndexError):  # a damaged installation, which load_weights reports
            digest = read_small_file(Path(f"{path}.sha256"), MAX_HASH_BYTES).decode("ascii", "replace").split()[0]
            if digest == candidate.made_by.get(WEIGHTS):
                return path
    return None


def _note_left_out(candidate: Candidate) -> Candidate:
    """Add a note where this plugin made the result, but cannot make it again at reduced resolution."""
    made_with = candidate.made_by.get(WEIGHTS, "")
    if made_with and not _has_network():
        why = (
            "torch, which the network needs, cannot be loaded here. Run Set up the engine (otfm:setup) and assess "
            "again for those figures."
        )
    elif made_with and not _find_weights(candidate):
        why = f"its weights (SHA-256 {made_with[:12]}...) are none of those that come with the plugin."
    else:
        return candidate
    note = f"{candidate.name} was made by this plugin, but its figures one scale down are left out, because {why}"
    return replace(candidate, notes=(*candidate.notes, note))


def _list_facts(
    scene: MeasuredScene, small: ReducedScene | None, candidates: Sequence[Candidate], windows: Sequence[Window]
) -> dict[str, str]:
    """Return the report's facts of the scene."""
    registration, parts = scene.registration, len(windows)
    share = sum(w.width * w.height for w in windows) / max(scene.pan.grid.width * scene.pan.grid.height, 1)
    part = "the whole of what they share" if parts == 1 else f"{parts} pieces, {100 * share:.0f} % of PAN"
    facts = {
        "PAN": f"{scene.pan.source.name}, {scene.pan.grid.describe()}, {scene.pan.type}",
        "MS": f"{scene.ms.source.name}, {scene.ms.grid.describe()}, {scene.ms.type}",
        "Ratio": f"{scene.placement.ratio:.4g}",
        "Shift of MS against PAN": f"{_format_shift(registration)} (PAN pixels), corrected",
        "MTF gain at Nyquist": f"{registration.transfer.gain:.3f}, measured",
        "Measured on": part,
    }
    if small:
        facts["Compared one scale down"] = (
            f"{len(small.bands)} of {len(scene.ms.bands)} bands, {len(small.pairs)} pieces"
        )
    for candidate in candidates:
        made = ", ".join(f"{k[5:].lower().replace('_', ' ')} {v}" for k, v in candidate.made_by.items())
        facts[candidate.name] = f"{candidate.raster.source.path}; {made or 'made by another tool'}"
    return facts


def _log_result(result: AssessResult, progress: Progress) -> None:
    for note in (n for f in result.figures for n in f.notes):
        progress.log(note)
    for each in result.verdicts:
        for sentence in each.sentences:
            progress.log(sentence)
    progress.conclude(f"Done in {format_duration(result.seconds)}: {result.report}.")
