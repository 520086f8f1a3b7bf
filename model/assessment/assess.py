"""The assessment: open, relate, measure, judge, report."""

from __future__ import annotations

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
from ..options import BUNDLED
from ..progress import Progress, spoken
from ..quality.classical import prepare
from ..quality.comparison import METHODS, Figures, ReducedScene
from ..quality.full_resolution import block_qualities
from ..quality.indices import BLOCK, BlockQualities, measure_indices
from ..raster.delivery import check_place
from ..raster.pixel_types import INTEGER_TYPES
from ..raster.reader import Raster
from ..raster.windows import INTERPOLATION_MARGIN, ms_window, opened_pair, read_pair, sample_scene, small_scene
from ..scene.fill_values import FillValue, find_fill, without_fill
from ..scene.pieces import telling_pieces
from ..scene.registration import Registration, measure_registration
from ..wording import format_signed
from .candidate import Candidate, fitted, opened_candidate
from .faults import Piece, band_figures, seams, shift_from_pan
from .job import Assessed, AssessJob, AssessResult
from .maps import BlockMap, write_map
from .report import Shown, write_report
from .verdict import verdict

LARGEST_WHOLE = 2**21  # PAN pixels of a scene that is measured whole
PIECE = 512  # PAN pixels along the side of the pieces of larger ones
PIECES_PER_AXIS = 3
OURS = "OTFM"
UNNAMED = "OUTPUT"  # what QGIS calls a temporary raster that nobody named
MAX_HASH_BYTES = 1024  # of the file of one hash
WEIGHTS = "OTFM_WEIGHTS_SHA256"  # metadata that says with which weights the plugin made a raster


@dataclass(frozen=True)
class MeasuredScene:
    """An open pair and what was measured of it as fusion measures it; `placement` has the shift corrected."""

    pan: Raster
    ms: Raster
    placement: Placement
    registration: Registration
    sample: tuple[PairWindow, ...]
    fills: tuple[Sequence[FillValue], Sequence[FillValue]]

    @classmethod
    def of(cls, pan: Raster, ms: Raster) -> MeasuredScene:
        """Measure a pair on a sample of its windows, undeclared fill left out."""
        placement = register(pan.grid, ms.grid)
        windows = list(sample_scene(pan, ms, placement))
        ms_fill = find_fill([(w.ms, w.ms_valid) for w in windows])
        fills = ms_fill, find_fill([(w.pan[None], w.pan_valid) for w in windows])
        sample = [without_fill(w, *fills) for w in windows]
        registration = measure_registration(sample)
        return cls(pan, ms, placement.moved(registration.shift), registration, tuple(sample), fills)

    @property
    def transfer(self) -> TransferFunction:
        return self.registration.transfer

    @property
    def rounded(self) -> bool:
        """Whether the data are integers."""
        return self.ms.type in INTEGER_TYPES

    @property
    def shared(self) -> Window:
        """The pixels of PAN that it shares with MS."""
        return self.placement.overlap.clipped(self.pan.grid.window)

    def reduced(self, ratio: float = 0.0, transfer: TransferFunction | None = None) -> ReducedScene | None:
        """The scene one scale down, by its own ratio and transfer function where none are given."""
        whole = small_scene(self.pan, self.ms, self.placement)
        pieces = [without_fill(whole, *self.fills)] if whole else telling_pieces(self.sample, self.registration)
        return ReducedScene.of(
            pieces, ratio or self.placement.ratio, transfer or self.transfer, self.ms.outputs, self.ms.offsets.tolist(),
            float(self.pan.offsets[0]), self.rounded,
        )  # fmt: skip

    def read(self, window: Window) -> PairWindow:
        """PAN of a window and the MS over it, the bands that are wanted, in the numbers of the files."""
        around = ms_window(self.placement, window, INTERPOLATION_MARGIN).clipped(self.ms.grid.window)
        pair = without_fill(read_pair(self.pan, self.ms, self.placement, around, self.placement.ratio), *self.fills)
        (top, left), wanted = pair.pan_corner, [i for i in self.ms.outputs if i >= 0]
        place = Window(window.left - left, window.top - top, window.width, window.height)
        pair = replace(pair, band_valid=None).cropped(place)
        offsets = self.ms.offsets[wanted, None, None].astype(np.float32)
        return replace(pair, ms=pair.ms[wanted] + offsets, pan=pair.pan + float(self.pan.offsets[0]))


def assess(job: AssessJob, progress: Progress | None = None) -> AssessResult:
    """Assess results of any tool against their PAN and MS and write the report. Raises PansharpenError."""
    started, progress = time.monotonic(), progress or Progress()
    sources = (job.pan, job.ms, *job.fused)
    check_place(job.report, [s.gdal_name for s in sources])
    with opened_pair(job.pan, job.ms) as (pan, ms), ExitStack() as open_ones:
        files = [Path(s.name).stem for s in job.fused]
        candidates = [opened_candidate(s, pan, n) for s, n in zip(job.fused, _distinct(job.names or files))]
        for candidate in candidates:
            open_ones.callback(candidate.raster.close)
        scene = MeasuredScene.of(pan, ms)
        progress.check()
        progress.log(
            f"Measured shift of MS against PAN: {_rows_and_columns(scene.registration)}; "
            f"MTF gain of MS at Nyquist: {scene.transfer.gain:.3f}."
        )
        windows = _windows(scene, candidates)
        pairs = [scene.read(w) for w in windows]
        candidates = [_with_left_out(fitted(c, pairs, scene.transfer, scene.shared)) for c in candidates]
        shown = _measured(scene, candidates, windows, pairs, progress)
        small = scene.reduced()
        reduced = _reduced(scene, small, candidates, progress)
        own, yardsticks = shown[: len(candidates)], [s.figures for s in shown[len(candidates) :]]
        verdicts = tuple(
            verdict(s.figures, yardsticks, _named(_bundled_weights(c)), reduced) for s, c in zip(own, candidates)
        )
        maps = tuple(
            write_map(s.map, pan, job.maps / f"{f}_blocks.tif") for s, f in zip(own, _distinct(files)) if job.maps
        )
        result = AssessResult(
            job.report, verdicts, tuple(s.figures for s in shown), reduced, maps, time.monotonic() - started
        )
        write_report(job, result, own, scene.transfer, _facts(scene, small, candidates, windows))
    _say(result, progress)
    return result


def _distinct(given: Sequence[str]) -> list[str]:
    """Names of results: by number where nobody named a temporary file, and with it where two are alike."""
    names = [f"result {i}" if n == UNNAMED else n for i, n in enumerate(given, start=1)]
    return [n if names.count(n) == 1 else f"{n} ({i})" for i, n in enumerate(names, start=1)]


def _rows_and_columns(found: Registration) -> str:
    return f"{format_signed(found.shift[0])} rows, {format_signed(found.shift[1])} columns"


def _windows(scene: MeasuredScene, candidates: Sequence[Candidate]) -> list[Window]:
    """Windows of PAN that are measured: all that the results share, or pieces spread over it, on whole blocks."""
    shared = scene.shared
    for candidate in candidates:
        shared = shared.clipped(candidate.window)
    if min(shared.width, shared.height) < 2 * BLOCK:
        raise InputError(
            f"PAN, MS and the results share {max(shared.width, 0)} x {max(shared.height, 0)} PAN pixels; {2 * BLOCK} x "
            f"{2 * BLOCK} are needed. Choose the results of these rasters."
        )
    if shared.width * shared.height <= LARGEST_WHOLE:
        return [shared]

    def starts(length: int) -> list[int]:
        count = min(PIECES_PER_AXIS, max(length // PIECE, 1))
        return [int(s) // BLOCK * BLOCK for s in np.linspace(0, max(length - PIECE, 0), count)]

    return [
        Window(shared.left + left, shared.top + top, PIECE, PIECE).clipped(shared)
        for top in starts(shared.height)
        for left in starts(shared.width)
    ]


def _measured(
    scene: MeasuredScene,
    candidates: Sequence[Candidate],
    windows: Sequence[Window],
    pairs: Sequence[PairWindow],
    progress: Progress,
) -> list[Shown]:
    """Figures, block map and pieces of each result, then of interpolation and of the classical methods."""
    shown: list[Shown] = []
    for name, places, pieces in _images(scene, candidates, windows, pairs):
        progress.check()
        shown.append(_shown(scene, name, places, windows, pieces, progress))
        progress.report(0.8 * len(shown) / (len(candidates) + len(METHODS)))
    for number, one in enumerate(candidates):
        found = shown[number]
        shift, steps = shift_from_pan(found.pieces), seams(found.pieces, scene.transfer)
        figures = replace(found.figures, shift=shift, seams=steps, notes=one.notes, stretched=one.stretched)
        shown[number] = replace(found, figures=figures)
    return shown


def _images(
    scene: MeasuredScene, candidates: Sequence[Candidate], windows: Sequence[Window], pairs: Sequence[PairWindow]
) -> Iterator[tuple[str, Sequence[int], list[Piece]]]:
    """Name, bands of MS by their places among those wanted, and pieces of each result and of each yardstick."""
    for one in candidates:
        yield one.name, one.bands, [Piece(p.with_bands(one.bands), *one.read(w)) for p, w in zip(pairs, windows)]
    prepared = [prepare(p, scene.transfer, p.pan_valid) for p in pairs]
    for name, method in METHODS.items():
        yield name, range(len(pairs[0].ms)), [Piece(p, method(q), p.pan_valid) for p, q in zip(pairs, prepared)]


def _shown(
    scene: MeasuredScene,
    name: str,
    places: Sequence[int],
    windows: Sequence[Window],
    pieces: Sequence[Piece],
    progress: Progress,
) -> Shown:
    """Figures and block map of an image over the pieces, of the bands of MS at some places among those wanted.

    Raises InputError where it has no whole block.
    """
    check, transfer = progress.check, scene.transfer
    blocks = [block_qualities(p.pair, p.fused, transfer, scene.rounded, check, p.valid) for p in pieces]
    whole = BlockQualities.joined(blocks)
    if not len(whole.spectral):
        raise InputError(
            f"FUSED {name} has no whole block of {BLOCK} x {BLOCK} valid pixels where PAN and MS are valid. Choose a "
            "larger part of the scene."
        )
    numbers = [scene.ms.bands[i] for i in places]
    names = [scene.ms.dataset.GetRasterBand(n).GetDescription() or f"band {n}" for n in numbers]
    bands, angle = band_figures(pieces, transfer, names)
    figures = Assessed(name, measure_indices(whole), angle, None, bands)
    return Shown(figures, BlockMap.of(windows, blocks), tuple(pieces))


def _reduced(
    scene: MeasuredScene, small: ReducedScene | None, candidates: Sequence[Candidate], progress: Progress
) -> dict[str, Figures]:
    """Figures one scale down: of interpolation and classical methods, and of the plugin where results came from it."""
    if small is None:
        return {}
    found = small.compare_methods(check=progress.check)
    for path in filter(None, map(_bundled_weights, candidates)):
        if _has_network() and _named(path) not in found:
            from ..fusion.job import FusionJob, FusionOptions
            from ..fusion.quality_estimate import compare_job

            with suppress(ValueError):  # too few pixels
                job = FusionJob(scene.pan.source, scene.ms.source, Path(), FusionOptions(path))
                found[_named(path)] = compare_job(small, job, progress.check)
    progress.report(0.95)
    return found


def _has_network() -> bool:
    """Whether the packages that the network needs can be loaded here."""
    try:
        import torch

        return torch.from_numpy(np.zeros(1)).numel() == 1  # fails where NumPy and torch do not fit
    except Exception:  # a broken torch raises anything
        return False


def _named(weights: Path | None) -> str:
    """What the plugin with some weights is called one scale down."""
    return f"{OURS} ({weights.stem})" if weights else ""


def _bundled_weights(candidate: Candidate) -> Path | None:
    """The weights of the plugin by which it made a result; None where it did not, or with others."""
    for path in BUNDLED.values():
        with suppress(OSError, IndexError):  # a damaged installation, which load_weights reports
            digest = read_small_file(Path(f"{path}.sha256"), MAX_HASH_BYTES).decode("ascii", "replace").split()[0]
            if digest == candidate.made_by.get(WEIGHTS):
                return path
    return None


def _with_left_out(candidate: Candidate) -> Candidate:
    """With a note where this plugin made it, but cannot make it again one scale down."""
    made_with = candidate.made_by.get(WEIGHTS, "")
    if made_with and not _has_network():
        why = (
            "torch, which the network needs, cannot be loaded here. Run Set up the engine (otfm:setup) and assess "
            "again for those figures."
        )
    elif made_with and not _bundled_weights(candidate):
        why = f"its weights (SHA-256 {made_with[:12]}...) are none of those that come with the plugin."
    else:
        return candidate
    note = f"{candidate.name} was made by this plugin, but its figures one scale down are left out, because {why}"
    return replace(candidate, notes=(*candidate.notes, note))


def _facts(
    scene: MeasuredScene, small: ReducedScene | None, candidates: Sequence[Candidate], windows: Sequence[Window]
) -> dict[str, str]:
    """What the report says of the scene."""
    found, parts = scene.registration, len(windows)
    share = sum(w.width * w.height for w in windows) / max(scene.pan.grid.width * scene.pan.grid.height, 1)
    part = "the whole of what they share" if parts == 1 else f"{parts} pieces, {100 * share:.0f} % of PAN"
    facts = {
        "PAN": f"{scene.pan.source.name}, {scene.pan.grid.describe()}, {scene.pan.type}",
        "MS": f"{scene.ms.source.name}, {scene.ms.grid.describe()}, {scene.ms.type}",
        "Ratio": f"{scene.placement.ratio:.4g}",
        "Shift of MS against PAN": f"{_rows_and_columns(found)} (PAN pixels), corrected",
        "MTF gain at Nyquist": f"{found.transfer.gain:.3f}, measured",
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


def _say(result: AssessResult, progress: Progress) -> None:
    for note in (n for f in result.figures for n in f.notes):
        progress.log(note)
    for each in result.verdicts:
        for sentence in each.sentences:
            progress.log(sentence)
    progress.conclude(f"Done in {spoken(result.seconds)}: {result.report}.")
