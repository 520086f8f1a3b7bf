"""Run over all products of a folder: each is recognised, fused and listed in a table."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from osgeo import gdal, osr

from ..errors import CancelledError, InputError, OutputError, PansharpenError
from ..files import make_file_name, make_names_distinct, whole_file
from ..fusion.job import FusionJob, FusionResult
from ..fusion.pipeline import fuse
from ..geometry.grids import Extent
from ..notices import Notice
from ..progress import Progress
from ..raster.bands import rgb_bands
from ..raster.gdal_errors import gdal_exceptions, hide_signatures
from ..raster.reader import Raster
from ..raster.reprojection import parse_horizontal
from ..raster.source import RasterSource
from ..raster.source_files import REMOTE, confined, public_name
from ..raster.stack import label
from ..wording import format_figure, format_signed
from .guided import GuidedJob, fuse_guided
from .inputs import choose_product_bands, crop_sources, ms_sources, pan_source
from .job import ProductJob, ProductResult, ProductRun
from .recognise import find_products
from .scene import Product

SHARPENED, COMPLETE, FAILED, NO_PRODUCT = "sharpened", "complete already", "failed", "no product"
INPUTS, SETTINGS = "PRODUCT_INPUTS", "PRODUCT_SETTINGS"  # Metadata by which a complete output is recognised.
MAX_GAIN_FACTOR = 3.0  # A measured gain this much below or above all tabulated ones is reported.


def sharpen_products(job: ProductJob, progress: Progress | None = None) -> ProductResult:
    """Sharpen every product that is found. A failure is reported and does not stop the others.

    Raises PansharpenError where nothing was sharpened, and CancelledError.
    """
    started = time.monotonic()
    progress = progress or Progress()
    if not job.folder.is_dir():
        raise OutputError(f"The folder {job.folder} for the results does not exist. Create it or choose another one.")
    with confined():
        with gdal_exceptions():
            products, refused = find_products(job.place, progress.check, progress.log)
        progress.log(f"Found {len(products)} product(s): {'; '.join(p.title for p in products)}.")
        for item in refused:
            progress.warn(Notice("no_product", item.sentence, {"title": item.title}))
        names = make_names_distinct([make_file_name(p.title, "product") for p in products])
        runs = []
        for number, (product, name) in enumerate(zip(products, names)):
            output, count = job.folder / f"{name}_sharp.tif", len(products)
            progress.log(f"Product {number + 1} of {count}: {product.title} ({_describe_sensor(product)}).")
            runs.append(_try_product(product, output, job, progress.part(number / count, (number + 1) / count)))
            progress.check()
    runs += [ProductRun(r.title, "", NO_PRODUCT, r.sentence) for r in refused]
    result = ProductResult(tuple(runs), time.monotonic() - started)
    progress.conclude(*(table(runs) if len(runs) > 1 else ()))
    if not result.count(SHARPENED, COMPLETE):
        failures = [r.sentence for r in runs if r.status == FAILED]
        raise InputError(failures[0] if len(failures) == 1 else "No product was sharpened. " + " ".join(failures))
    return result


def table(runs: Sequence[ProductRun]) -> Iterator[str]:
    """Yield one line per product: its status, figures and seconds."""
    width = max(len(r.title) for r in runs)
    yield f"{'product':{width}}  {'result':16}  {'ratio':>5}  {'shift':>12}  {'gain':>5}  {'HQNR':>6}  {'seconds':>7}"
    for r in runs:
        m = r.metrics
        shift = " ".join(map(format_signed, m.shift)) if m else ""
        values = (m.ratio, m.gain, m.hqnr) if m else (None, None, None)
        ratio, gain, hqnr = map(format_figure, values, (".3g", ".3f", ".4f"), ("", "", ""))
        figures = f"{ratio:>5}  {shift:>12}  {gain:>5}  {hqnr:>6}"
        yield f"{r.title:{width}}  {r.status:16}  {figures}  {r.seconds:7.1f}  {r.sentence}".rstrip()


def _describe_sensor(product: Product) -> str:
    level = f", level {product.ms.level}" if product.ms.level > 1 else ""
    return f"{product.ms.sensor.name}{level}{', ' + product.ms.date if product.ms.date else ''}"


def _try_product(product: Product, output: Path, job: ProductJob, progress: Progress) -> ProductRun:
    """Sharpen one product. Every failure except a cancel becomes a sentence."""
    started = time.monotonic()
    blank = ProductRun(product.title, product.ms.sensor.name, FAILED)
    try:
        run = _sharpen(product, output, job, progress, blank)
    except CancelledError:
        raise
    except (PansharpenError, OSError, RuntimeError, MemoryError) as error:
        sentence = hide_signatures(str(error)) or type(error).__name__
        progress.warn(Notice("product_failed", f"{product.title} failed: {sentence}", {"title": product.title}))
        run = replace(blank, sentence=sentence)
    return replace(run, seconds=time.monotonic() - started)


def _sharpen(product: Product, output: Path, job: ProductJob, progress: Progress, blank: ProductRun) -> ProductRun:
    for sentence in product.choices:
        progress.log(sentence)
    bands = choose_product_bands(product, job.bands)
    facts = _collect_facts(product, job)
    colours = tuple(i + 1 for i in rgb_bands([b.name for b in bands]))
    blank = replace(blank, output=str(output), colours=colours)  # type: ignore[arg-type]
    if _is_complete(output, facts):
        sentence = f"{output} was made from the same files with the same settings. Delete it to make it again."
        progress.log(f"Nothing to do: {sentence}")
        progress.report(1.0)
        return replace(blank, status=COMPLETE, sentence=sentence)
    left_out = [b.name for b in product.image.bands if b not in bands]
    progress.explain(f"Bands: {', '.join(f'{b.name} (band {b.number} of {label(b.files)})' for b in bands)}.")
    if left_out:
        progress.log(f"Left out by BANDS = {job.bands}: {', '.join(left_out)}.")
    with gdal_exceptions():
        pan = pan_source(product)
        extent = _transform_extent(job, pan)
        levels, places = ms_sources(product, bands, facts)
        if extent and any(file.startswith(REMOTE) for file in product.files):
            progress.log("Only what is near EXTENT is read and measured, as the product is on the network.")
            pan, *cropped = crop_sources((pan, *levels), extent)
            levels = tuple(cropped)
    if product.is_guided:
        results = fuse_guided(GuidedJob(pan, levels, places, output, job.options, extent, facts), progress)
    else:
        results = [fuse(FusionJob(pan, levels[0], output, job.options, extent), progress)]
    if job.keep_vrt:
        names = [f"ms_{n}" for n in range(1, len(levels) + 1)] if product.is_guided else ["ms"]
        _keep_vrts(output, {"pan": pan, **dict(zip(names, levels))}, progress)
    for result in results:
        _check_gain(product, result, progress)
    return replace(blank, status=SHARPENED, metrics=results[0].metrics if results else None)


def _collect_facts(product: Product, job: ProductJob) -> dict[str, str]:
    """Collect metadata of the output: product, files and settings."""
    from ..network.weights import compute_file_sha256

    facts = {"PRODUCT": product.title, "SENSOR": product.ms.sensor.name, "ACQUISITION_DATE": product.ms.date}
    stamps, options = [], job.options
    for file in product.files:
        status, name = gdal.VSIStatL(file), PurePosixPath(public_name(file)).name
        stamps.append(f"{name} {status.size if status else 0} {status.mtime if status else 0}")
    decisive = {
        "bands": job.bands,
        "weights": compute_file_sha256(options.weights) if options.weights.is_file() else str(options.weights),
        "weights_for": options.weights_for,
        "precision": options.precision,
        "align": options.align,
        "extent": job.extent,
        "creation_options": options.creation_options,
        "data_type": options.data_type,
        "overviews": options.overviews,
    }
    settings = "; ".join(f"{k} {v}" for k, v in decisive.items())
    return {**{k: v for k, v in facts.items() if v}, INPUTS: "; ".join(stamps), SETTINGS: settings}


def _is_complete(output: Path, facts: dict[str, str]) -> bool:
    """Check that an output was made from the same files with the same settings."""
    if not output.is_file():
        return False
    with gdal_exceptions():
        try:
            dataset = gdal.OpenEx(str(output), gdal.OF_RASTER, allowed_drivers=["GTiff"])
            return all(dataset.GetMetadataItem(key) == facts[key] for key in (INPUTS, SETTINGS))
        except RuntimeError:
            return False


def _transform_extent(job: ProductJob, pan: RasterSource) -> Extent | None:
    """Return the job's extent in PAN's reference system. Raises InputError where it cannot be transformed."""
    if job.extent is None:
        return None
    with Raster(pan, "PAN") as raster:
        wkt = osr.SRS_WKT_WGS84_LAT_LONG if raster.model else raster.crs
    if not wkt or not job.extent_crs:
        return job.extent
    source, target = parse_horizontal(job.extent_crs), parse_horizontal(wkt)
    if source.IsSame(target):
        return job.extent
    try:
        moved = osr.CoordinateTransformation(source, target).TransformBounds(*job.extent, 21)
        if not all(math.isfinite(v) for v in moved):
            raise RuntimeError("no finite numbers")
    except RuntimeError as error:
        raise InputError(
            f"The extent {job.extent} cannot be brought to PAN's reference system ({error}). Choose an extent that "
            "overlaps the product, or leave it empty."
        ) from error
    return moved[0], moved[1], moved[2], moved[3]


def _keep_vrts(output: Path, sources: Mapping[str, RasterSource], progress: Progress) -> None:
    """Write the VRTs next to the result. A PAN of one file needs none."""
    for role, source in sources.items():
        if source.xml:
            path = output.with_name(f"{output.stem}_{role}.vrt")
            try:
                if hide_signatures(source.xml) != source.xml:
                    raise OSError("its addresses are signed, so they are secret and expire")
                with whole_file(path) as draft:
                    draft.write_text(source.xml, encoding="utf-8")
            except OSError as error:  # The result is in place.
                sentence = f"{output} is complete, but {path} next to it cannot be written ({error})."
                progress.warn(Notice("vrt_not_kept", sentence, {"path": str(path)}))
                continue
            progress.explain(f"Kept {path}, which reads {source.name}.")


def _check_gain(product: Product, result: FusionResult, progress: Progress) -> None:
    """Compare the measured gain, which is used, with the tabulated ones."""
    gains = product.ms.sensor.gains
    if gains is None:
        return
    low, high = gains
    name = product.ms.sensor.name
    gain = format_figure(result.metrics.gain, ".3f")
    text = f"Tabulated MTF gains of {name}: {low:g} to {high:g}; measured and used: {gain}."
    progress.explain(text)
    if not low / MAX_GAIN_FACTOR <= result.metrics.gain <= high * MAX_GAIN_FACTOR:
        sentence = f"{text} They are far apart: MS may have been resampled or sharpened before. Look at the result."
        numbers = {"measured": result.metrics.gain, "least": low, "most": high}
        progress.warn(Notice("gain_unlike_sensor", sentence, numbers))
