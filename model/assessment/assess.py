"""The assessment: open, relate, measure, judge, report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import read_small_file
from ..geometry.filters import dilate
from ..geometry.grids import Placement, Window, register
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..options import BUNDLED
from ..progress import Progress, spoken
from ..quality.classical import CLASSICAL, interpolation, prepare
from ..quality.full_resolution import BlockQualities, block_qualities
from ..quality.indices import BLOCK, Image, ergas, q2n, sam, scc
from ..quality.wald import reduced_pair
from ..raster.pixel_types import INTEGER_TYPES
from ..raster.places import check_place
from ..raster.reader import Raster
from ..raster.windows import INTERPOLATION_MARGIN, ms_window, opened_pair, read_pair, sample_scene
from ..scene.registration import Registration, measure_registration
from ..wording import format_signed
from .candidate import Candidate, fitted, opened_candidate
from .faults import Piece, band_figures, seams, shift_from_pan
from .job import AssessJob, AssessResult, Figures, ReducedFigures
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
class _Scene:
    """The open pair, its pieces with the shift corrected, and what was measured of it."""

    pan: Raster
    ms: Raster
    placement: Placement
    registration: Registration
    rounded: bool

    @property
    def transfer(self) -> TransferFunction:
        return self.registration.transfer


def assess(job: AssessJob, progress: Progress | None = None) -> AssessResult:
    """Assess results of any tool against their PAN and MS and write the report. Raises PansharpenError."""
    started, progress = time.monotonic(), progress or Progress()
    sources = (job.pan, job.ms, *job.fused)
    check_place(job.report, [s.path for s in sources])
    with opened_pair(job.pan, job.ms) as (pan, ms), ExitStack() as open_ones:
        files = [Path(s.name).stem for s in job.fused]
        names = _distinct(job.names or files)
        candidates = [opened_candidate(s, pan, n) for s, n in zip(job.fused, names)]
        for candidate in candidates:
            open_ones.callback(candidate.raster.close)
        scene = _scene(pan, ms, progress)
        windows = _windows(scene, candidates)
        pairs = [_read(scene, w) for w in windows]
        shared = scene.placement.overlap.clipped(pan.grid.window)
        candidates = [_with_left_out(fitted(c, pairs, scene.transfer, shared)) for c in candidates]
        shown = _measured(scene, candidates, windows, pairs, progress)
        reduced = _reduced(scene, candidates, pairs, progress)
        own, yardsticks = shown[: len(candidates)], shown[len(candidates) :]
        by_name = {r.name: r for r in reduced}
        again = [by_name.get(_made_again(c)) for c in candidates]
        others = [by_name[y.figures.name] for y in yardsticks if reduced]
        verdicts = tuple(verdict(s.figures, [y.figures for y in yardsticks], a, others) for s, a in zip(own, again))
        maps = tuple(
            write_map(s.map, pan, job.maps / f"{f}_blocks.tif") for s, f in zip(own, _distinct(files)) if job.maps
        )
        result = AssessResult(
            job.report, verdicts, tuple(s.figures for s in shown), reduced, maps, time.monotonic() - started
        )
        write_report(job, result, own, scene.transfer, _facts(scene, candidates, windows))
    _say(result, progress)
    return result


def _distinct(given: Sequence[str]) -> list[str]:
    """Names of results: by number where nobody named a temporary file, and with it where two are alike."""
    names = [f"result {i}" if n == UNNAMED else n for i, n in enumerate(given, start=1)]
    return [n if names.count(n) == 1 else f"{n} ({i})" for i, n in enumerate(names, start=1)]


def _scene(pan: Raster, ms: Raster, progress: Progress) -> _Scene:
    placement = register(pan.grid, ms.grid)
    registration = measure_registration(list(sample_scene(pan, ms, placement)))
    progress.check()
    progress.log(
        f"Measured shift of MS against PAN: {_rows_and_columns(registration)}; "
        f"MTF gain of MS at Nyquist: {registration.transfer.gain:.3f}."
    )
    return _Scene(pan, ms, placement.moved(registration.shift), registration, ms.type in INTEGER_TYPES)


def _rows_and_columns(found: Registration) -> str:
    return f"{format_signed(found.shift[0])} rows, {format_signed(found.shift[1])} columns"


def _windows(scene: _Scene, candidates: Sequence[Candidate]) -> list[Window]:
    """Windows of PAN that are measured: all that the results share, or pieces spread over it, on whole blocks."""
    shared = scene.placement.overlap.clipped(scene.pan.grid.window)
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


def _read(scene: _Scene, window: Window) -> PairWindow:
    """PAN of a window and the MS over it, in the numbers of the files."""
    around = ms_window(scene.placement, window, INTERPOLATION_MARGIN).clipped(scene.ms.grid.window)
    (values, valid), (ms, ms_valid) = scene.pan.read(window), scene.ms.read(around)
    pair = PairWindow(
        pan=values[0],
        pan_valid=valid[0],
        ms=ms,
        ms_valid=ms_valid.all(0),
        origin=scene.placement.origin,
        spacing=scene.placement.spacing,
        pan_corner=(window.top, window.left),
        ms_corner=(around.top, around.left),
    )
    return _exact(scene, pair)


def _measured(
    scene: _Scene,
    candidates: Sequence[Candidate],
    windows: Sequence[Window],
    pairs: Sequence[PairWindow],
    progress: Progress,
) -> list[Shown]:
    """Figures, block map and pieces of each result, then of interpolation and of the classical methods."""
    prepared = [prepare(p, scene.transfer, p.pan_valid) for p in pairs]
    methods = {"interpolation": interpolation, **CLASSICAL}
    shown: list[Shown] = []
    for number in range(len(candidates) + len(methods)):
        progress.check()
        if number < len(candidates):
            one = candidates[number]
            read = [one.read(w) for w in windows]
            pieces = [Piece(p.with_bands(one.bands), *r) for p, r in zip(pairs, read)]
            described = _band_names(scene, one.bands)
            shown.append(_shown(scene, one.name, windows, pieces, described, progress, one))
        else:
            name = list(methods)[number - len(candidates)]
            pieces = [Piece(p, methods[name](q), p.pan_valid) for p, q in zip(pairs, prepared)]
            described = _band_names(scene, range(len(pairs[0].ms)))
            shown.append(_shown(scene, name, windows, pieces, described, progress))
        progress.report(0.8 * (number + 1) / (len(candidates) + len(methods)))
    return shown


def _shown(
    scene: _Scene,
    name: str,
    windows: Sequence[Window],
    pieces: Sequence[Piece],
    names: Sequence[str],
    progress: Progress,
    judged: Candidate | None = None,
) -> Shown:
    """Figures and block map of an image over the pieces; in a result that is `judged`, faults are looked for too."""
    blocks: list[tuple[Window, BlockQualities]] = []
    for window, piece in zip(windows, pieces):
        pair = replace(piece.pair, pan_valid=piece.pair.pan_valid & piece.valid)
        fused = piece.fused.astype(np.float32)
        found = block_qualities(pair, fused, scene.transfer, scene.rounded, progress.check)
        if found is not None:
            blocks.append((window, found))
    if not blocks:
        raise InputError(
            f"FUSED {name} has no whole block of {BLOCK} x {BLOCK} valid pixels where PAN and MS are valid. Choose a "
            "larger part of the scene."
        )
    quality = BlockQualities.joined([b for _, b in blocks]).indices
    bands, angle = band_figures(pieces, scene.transfer, names)
    figures = Figures(name, quality.d_lambda, quality.d_s, quality.hqnr, angle, None, bands)
    if judged:
        figures = replace(
            figures,
            shift=shift_from_pan(pieces),
            seams=seams(pieces, scene.transfer),
            notes=judged.notes,
            stretched=judged.stretched,
        )
    return Shown(figures, BlockMap.of(blocks), tuple(pieces))


def _band_names(scene: _Scene, places: Iterable[int]) -> list[str]:
    """Names of bands of MS by their places among those that are wanted."""
    numbers = [scene.ms.bands[i] for i in places]
    return [scene.ms.dataset.GetRasterBand(n).GetDescription() or f"band {n}" for n in numbers]


def _reduced(
    scene: _Scene, candidates: Sequence[Candidate], pairs: Sequence[PairWindow], progress: Progress
) -> tuple[ReducedFigures, ...]:
    """Indices one scale down: of interpolation and classical methods, and of the plugin where results came from it."""
    ratio = round(scene.placement.ratio)
    found: dict[str, list[ReducedFigures]] = {}
    for whole in _over_ms(scene, pairs):
        height, width = (n // ratio * ratio for n in whole.ms_valid.shape)
        pair = replace(whole, ms=whole.ms[:, :height, :width], ms_valid=whole.ms_valid[:height, :width])
        small = reduced_pair(pair, ratio, scene.transfer)
        small = replace(small, pan=small.pan * small.pan_valid, ms=small.ms * small.ms_valid)  # gaps are 0 for all
        inside = _inside(small.pan_valid, ratio)
        if not _holds_a_block(inside):
            continue
        truth = pair.ms.astype(np.float64)
        for name, image in _reduced_results(scene, candidates, small, ratio, inside, progress):
            progress.check()
            found.setdefault(name, []).append(_indices(name, truth, image, ratio, inside, scene.rounded))
    progress.report(0.95)
    return tuple(
        ReducedFigures(n, *(float(np.mean([getattr(f, i) for f in fs])) for i in ("ergas", "sam", "q2n", "scc")))
        for n, fs in found.items()
    )


def _over_ms(scene: _Scene, pairs: Sequence[PairWindow]) -> Iterator[PairWindow]:
    """MS of the pieces with all of PAN over it; of a scene that is measured whole, all of MS."""
    for pair in pairs:
        (top, left), (height, width) = pair.ms_corner, pair.ms_valid.shape
        around = scene.ms.grid.window if len(pairs) == 1 else Window(left, top, width, height)
        read = read_pair(scene.pan, scene.ms, scene.placement, around, 0.0)
        yield _exact(scene, read)


def _exact(scene: _Scene, pair: PairWindow) -> PairWindow:
    """A piece of the bands that are wanted, in the numbers of the files."""
    wanted = [i for i in scene.ms.outputs if i >= 0]
    pair = replace(pair, band_valid=None)
    ms = pair.ms[wanted] + scene.ms.offsets[wanted, None, None].astype(pair.ms.dtype)
    return replace(pair, ms=ms, pan=pair.pan + float(scene.pan.offsets[0]))


def _holds_a_block(inside: NDArray[np.bool_]) -> bool:
    """Whether Q2n has a block to work on."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return False
    box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    down, across = (n // BLOCK for n in box.shape)
    whole = box[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK).all((1, 3))
    return bool(whole.any())


def _inside(covered: NDArray[np.bool_], ratio: int) -> NDArray[np.bool_]:
    """Where reduced images are compared: away from gaps and from the sides."""
    inner = np.zeros_like(covered)
    inner[2 * ratio : -2 * ratio, 2 * ratio : -2 * ratio] = True
    return np.asarray(inner & ~dilate(~covered, 2 * ratio))


def _reduced_results(
    scene: _Scene,
    candidates: Sequence[Candidate],
    small: PairWindow,
    ratio: int,
    inside: NDArray[np.bool_],
    progress: Progress,
) -> Iterator[tuple[str, Image]]:
    prepared = prepare(small, scene.transfer, inside)
    yield "interpolation", interpolation(prepared)
    for name, method in CLASSICAL.items():
        yield name, method(prepared)
    wanted = {c.made_by.get(WEIGHTS, "") for c in candidates} if _has_network() else set()
    for digest, path in _bundled().items():
        if digest in wanted:
            from ..fusion.arrays import fuse_arrays

            height = float(small.pan.shape[0])
            fused = fuse_arrays(
                small.pan, small.ms, (0.0, 1.0, 0.0, height, 0.0, -1.0),
                (0.0, float(ratio), 0.0, height, 0.0, -float(ratio)), nodata=0.0,
                progress=Progress(cancelled=progress.cancelled),
                weights=path,
            )  # fmt: skip
            yield _named(path), np.asarray(fused.values, dtype=np.float64)


def _has_network() -> bool:
    """Whether the packages that the network needs can be loaded here."""
    try:
        import torch

        return torch.from_numpy(np.zeros(1)).numel() == 1  # fails where NumPy and torch do not fit
    except Exception:  # a broken torch raises anything
        return False


def _named(weights: Path) -> str:
    return f"{OURS} ({weights.stem})"


def _made_again(candidate: Candidate) -> str:
    """What a result is called one scale down; empty where it cannot be made again there."""
    weights = _bundled().get(candidate.made_by.get(WEIGHTS, ""))
    return _named(weights) if weights else ""


def _bundled() -> dict[str, Path]:
    """The weights that come with the plugin, by their SHA-256."""
    found = {}
    for path in BUNDLED.values():
        with suppress(OSError, IndexError):  # a damaged installation, which load_weights reports
            found[read_small_file(Path(f"{path}.sha256"), MAX_HASH_BYTES).decode("ascii", "replace").split()[0]] = path
    return found


def _with_left_out(candidate: Candidate) -> Candidate:
    """With a note where this plugin made it, but cannot make it again one scale down."""
    made_with = candidate.made_by.get(WEIGHTS, "")
    if made_with and not _has_network():
        why = (
            "torch, which the network needs, cannot be loaded here. Run Set up the engine (otfm:setup) and assess "
            "again for those figures."
        )
    elif made_with and made_with not in _bundled():
        why = f"its weights (SHA-256 {made_with[:12]}...) are none of those that come with the plugin."
    else:
        return candidate
    note = f"{candidate.name} was made by this plugin, but its figures one scale down are left out, because {why}"
    return replace(candidate, notes=(*candidate.notes, note))


def _indices(
    name: str, truth: Image, image: Image, ratio: int, inside: NDArray[np.bool_], rounded: bool
) -> ReducedFigures:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    a, b, whole = truth[box], image[box], inside[box[1:]]
    quality = q2n(np.rint(a), np.rint(b), valid=whole) if rounded else q2n(a, b, valid=whole)
    return ReducedFigures(name, ergas(a, b, ratio, whole), sam(a, b, whole), quality, scc(a, b))


def _facts(scene: _Scene, candidates: Sequence[Candidate], windows: Sequence[Window]) -> dict[str, str]:
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
