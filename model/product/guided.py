"""Fusion of products without PAN: the sharpest bands guide all others, and are copied unchanged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from osgeo import gdal

from ..errors import InputError, OutputError
from ..fusion.check import choose_nodata
from ..fusion.job import FusionJob, FusionOptions, FusionResult
from ..fusion.pipeline import fuse
from ..fusion.run_log import report_stale_runs
from ..geometry.grids import Extent, Grid, Window, register
from ..progress import Progress, format_duration
from ..raster.delivery import check_space, check_target
from ..raster.gdal_errors import gdal_exceptions
from ..raster.output_format import OutputForm
from ..raster.pixel_types import NUMPY_TYPES, value_limits
from ..raster.reader import Raster
from ..raster.source import RasterSource
from ..raster.source_files import confined
from ..raster.stack import assemble
from ..raster.trial import check_format
from ..raster.writer import RasterWriter
from ..staging import remove_stale_runs
from ..version import VERSION

COPIED_SIDE = 1024  # Pixels along the side of a window that is copied, as blocks of JPEG 2000 have.
COPY_CACHE = 256  # MB of GDAL's cache while windows are copied: a row of such blocks of one band has 22.
FUSED_SHARE = 0.9  # Of the progress; copying takes the rest.


@dataclass(frozen=True)
class GuidedJob:
    """The chosen bands of a product and where they are.

    pan      its sharpest bands       levels   sources of the others, one per pixel size
    places   for each band of the output, 0 for `pan` or the number of its level, and the band's number there
    facts    metadata of the output
    """

    pan: RasterSource
    levels: tuple[RasterSource, ...]
    places: tuple[tuple[int, int], ...]
    output: Path
    options: FusionOptions
    extent: Extent | None
    facts: Mapping[str, str]

    def list_bands(self, levels: Sequence[RasterSource]) -> list[tuple[RasterSource, int]]:
        """List the bands of the output, those of levels from the given sources."""
        return [((self.pan, *levels)[level], number) for level, number in self.places]


def fuse_guided(job: GuidedJob, progress: Progress) -> list[FusionResult]:
    """Sharpen the levels one after another, and write their bands and those of PAN as one raster.

    Returns the results of the fusions, none where all bands are copied. Raises PansharpenError; the target is then
    unchanged.
    """
    started = time.monotonic()
    inputs = [source.gdal_name for source in (job.pan, *job.levels)]
    check_target(job.output, [*inputs, str(job.options.weights)])
    report_stale_runs(remove_stale_runs(job.output.parent), progress)
    with gdal_exceptions(), confined(), ExitStack() as open_ones:
        pan = open_ones.enter_context(Raster(job.pan, "PAN"))
        levels = [open_ones.enter_context(Raster(source, "MS")) for source in job.levels]
        grid = pan.grid.cropped(_choose_window(pan, levels, job.extent))
        like = open_ones.enter_context(Raster(assemble(job.list_bands(job.levels), grid), "MS"))
        form = check_format(job.output, grid, pan.crs, like, _choose_form(like, pan, job))
        check_space(job.output, grid, len(job.places) + sum(len(level.bands) for level in levels), form)
        with RasterWriter(job.output, grid, pan.crs, like, form) as writer:
            drafts = [writer.staging.folder / f"{number}.tif" for number in range(1, len(levels) + 1)]
            results = list(_fuse_levels(job, form.type, drafts, progress))
            whole = assemble(job.list_bands([_open_draft(d, grid, form) for d in drafts]), grid, form.nodata)
            _copy(whole, writer, form, progress.after(FUSED_SHARE if drafts else 0.0))
            for raster in (pan, *levels):
                raster.refuse_changes()
            facts = {**job.facts, "OTFM_VERSION": VERSION, **_merge_provenance(drafts)}
            for draft in drafts:
                draft.unlink()
            progress.check()
            writer.finish(facts)
    progress.conclude(f"Done in {format_duration(time.monotonic() - started)}: {job.output}.")
    return results


def _choose_window(pan: Raster, levels: Sequence[Raster], extent: Extent | None) -> Window:
    """Return the pixels of PAN that all levels share, within the extent. Raises InputError."""
    window = pan.grid.window
    for level in levels:
        if not level.has_same_crs(pan):
            raise InputError(
                f"{level.source.name} has another reference system than {pan.source.name}, so they are not bands of "
                "one acquisition. Warp them to one system first, for example with gdal:warpreproject."
            )
        window = window.clipped(register(pan.grid, level.grid).overlap)
    shared = pan.grid.cropped(window).describe()
    window = window if extent is None else window.clipped(pan.grid.covering(extent))
    if window.empty:
        raise InputError(f"The extent {extent} does not meet the area that all bands share: {shared}.")
    return window


def _choose_form(like: Raster, pan: Raster, job: GuidedJob) -> OutputForm:
    """Choose type and gaps of the output. Raises InputError or OutputError where bands could not be copied exactly."""
    name, given = job.options.data_type or like.type, value_limits(like.type)
    limits = value_limits(name)
    if limits[0] > given[0] or limits[1] < given[1]:
        raise OutputError(
            f"DATA_TYPE {name} holds {limits[0]:.6g} to {limits[1]:.6g}, but the bands of {like.source.name} are "
            f"{like.type}, and those with the smallest pixels are copied unchanged. Leave DATA_TYPE as MS."
        )
    declared = {str(like.dataset.GetRasterBand(b).GetNoDataValue()) for b in like.bands}
    flags = [pan.dataset.GetRasterBand(b).GetMaskFlags() for b in pan.bands]
    if len(declared) > 1 or any(f & gdal.GMF_PER_DATASET for f in flags):
        raise InputError(
            f"The bands of {like.source.name} mark their gaps differently (nodata {', '.join(sorted(declared))}, or a "
            "mask), but the result has one nodata value. Give all of them the same one first, with gdal_edit.py "
            "-a_nodata."
        )
    bits = like.bits if name == like.type else None
    highest = None if bits is None else 2.0**bits - 1.0
    nodata = choose_nodata(name, like, like)
    return OutputForm(name, nodata, job.options.creation_options, job.options.overviews, highest)


def _fuse_levels(job: GuidedJob, type_name: str, drafts: Sequence[Path], progress: Progress) -> Iterator[FusionResult]:
    """Fuse every level into a draft, with its share of the progress by its bands."""
    options = replace(job.options, creation_options=(), overviews=False, data_type=type_name)
    counts = [sum(level == number for level, _ in job.places) for number in range(1, len(drafts) + 1)]
    for number, (source, draft) in enumerate(zip(job.levels, drafts)):
        start, end = (FUSED_SHARE * sum(counts[:n]) / sum(counts) for n in (number, number + 1))

        def log(line: str, draft: Path = draft) -> None:
            progress.log(line.replace(str(draft), f"part {draft.stem} of {len(drafts)}"))

        yield fuse(FusionJob(job.pan, source, draft, options, job.extent), replace(progress.part(start, end), log=log))


def _open_draft(draft: Path, grid: Grid, form: OutputForm) -> RasterSource:
    """Return the source of a draft. Raises InputError where it lacks pixels and gaps cannot be marked."""
    dataset = gdal.Open(str(draft))
    if form.nodata is None and (dataset.RasterXSize, dataset.RasterYSize) != (grid.width, grid.height):
        raise InputError(
            f"Bands are displaced by their georeference, so that {grid.width - dataset.RasterXSize} columns and "
            f"{grid.height - dataset.RasterYSize} rows are empty, and no nodata value can mark them. Register the "
            "bands first, or declare a nodata value with gdal_edit.py -a_nodata."
        )
    return RasterSource(str(draft))


def _copy(whole: RasterSource, writer: RasterWriter, form: OutputForm, progress: Progress) -> None:
    """Copy all bands window by window. Raises InputError where a file is damaged."""
    from ..fusion.tiles import bounded_cache

    windows = writer.grid.window.split(COPIED_SIDE)
    with bounded_cache(COPY_CACHE), Raster(whole, "MS") as raster:
        for number, w in enumerate(windows, start=1):
            progress.check()
            with raster.reading(w):
                values = raster.dataset.ReadAsArray(w.left, w.top, w.width, w.height)
            writer.write(w, values.reshape(-1, w.height, w.width).astype(NUMPY_TYPES[form.type], copy=False))
            progress.report(number / len(windows))


def _merge_provenance(drafts: Sequence[Path]) -> dict[str, str]:
    """Return the metadata of all drafts that record their origin; those of further drafts end in their number."""
    merged: dict[str, str] = {}
    for draft in reversed(drafts):
        ending = "" if draft == drafts[0] else f"_{draft.stem}"
        metadata = gdal.Open(str(draft)).GetMetadata()
        merged |= {f"{key}{ending}": value for key, value in metadata.items() if key.startswith("OTFM_")}
    return merged
