"""Sentences of the log of a run, and its warnings as notices. No other module words them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..finetuning.job import FinetuneResult
from ..notices import Notice, Number, make_notice
from ..progress import Progress
from ..quality.comparison import INJECTION, INTERPOLATION, NETWORK
from ..scene.alignment_measurement import AlignmentMeasurement
from ..scene.detail_correlation import MAX_SHIFT
from ..scene.registration import WIDE_REACH, Registration
from ..staging import PREVIOUS, StaleRun
from ..wording import NEGLIGIBLE, compare_errors, format_figure, format_percent, format_signed, format_value
from .check import CheckedPair
from .job import FusionJob
from .measure import Measurement

if TYPE_CHECKING:
    from ..network.weights import Weights
    from ..scene.statistics import SceneStatistics
    from .plan import FusionPlan, NetworkSetup
    from .quality_estimate import QualityEstimate

COARSE_STEPS = 32.0  # fewer whole numbers than these show
NOTABLE_DISTORTION = 0.5  # PAN pixels by which a window's own shift differs from the scene's
NOTABLE_SHIFT = 0.05  # PAN pixels; less cannot be seen
NOTABLE_CREST = 1.05  # of the transfer function; makers sharpen by up to 1.4
NOTABLE_LOSS = 0.05  # of HQNR against interpolation
NOTABLE_ERROR = 1.02  # ERGAS over that of interpolation


def report_stale_runs(stale_runs: Iterable[StaleRun], progress: Progress) -> None:
    """Report what killed runs had left, and which files they were replacing."""
    for stale in stale_runs:
        if stale.kept:
            numbers = {"folder": str(stale.folder), "files": ", ".join(stale.kept)}
            progress.warn(make_notice("previous_files_kept", numbers, aside=stale.folder / PREVIOUS))
            continue
        back = f" The files that it was replacing are back: {', '.join(stale.restored)}." if stale.restored else ""
        progress.explain(f"Removed {stale.folder}, which a run that was killed had left.{back}")


def report_inputs(pair: CheckedPair, progress: Progress) -> None:
    """Report the inputs, and what is assumed where the files do not state it."""
    pan, ms = pair.pan, pair.ms
    chosen = "bands" if len(pan.bands) > 1 else "band"
    numbers = ", ".join(map(str, pan.bands))
    band = f"{chosen} {numbers} of {pan.dataset.RasterCount}, " if pan.dataset.RasterCount > 1 else ""
    count = _format_count(len(ms.bands), "band")
    progress.log(
        f"PAN {Path(pan.source.name).name} ({band}{pan.grid.width} x {pan.grid.height} pixels) and MS "
        f"{Path(ms.source.name).name} ({count}, {ms.grid.width} x {ms.grid.height} pixels, {ms.type}), ratio "
        f"{pair.placement.ratio:.4g}."
    )
    if pan.model:
        progress.log(
            f"Both are in sensor geometry and were related by their RPCs at {pan.model.used_height:.0f} m above the "
            "ellipsoid. The result is in PAN's sensor geometry and keeps its RPC, so it can be orthorectified."
        )
    progress.explain(*_describe_rasters(pair))


def report_engine(engine: NetworkSetup, weights: Weights, why: str, reason: str, progress: Progress) -> None:
    """Report which weights are used and what computes."""
    progress.explain(f"Weights: {weights.header.get('name', '?')}, {why}, SHA-256 {engine.weights_sha256}.")
    steps = _format_count(engine.steps, "step")
    progress.explain(f"Device: {', '.join(engine.devices)}, {engine.precision} ({reason}), {steps}.")


def _describe_rasters(pair: CheckedPair) -> Iterator[str]:
    pan, ms = pair.pan, pair.ms
    if ms.reprojected and pan.model:
        yield "The RPCs of MS turn or bend it against PAN: it is resampled to pixels of PAN's while it is read (cubic)."
    elif ms.reprojected:
        yield "MS has another reference system and is reprojected to PAN's while it is read (cubic)."
    yield f"PAN: {pan.source.name}, {pan.grid.describe()}, {pan.type}."
    yield f"MS: {ms.source.name}, bands {', '.join(map(str, ms.bands))}, {ms.grid.describe()}, {ms.type}."
    if not pan.grid.georeferenced:
        yield "Neither raster has a georeference: both are taken to cover the same area."
    elif bool(pan.crs) != bool(ms.crs):
        missing = "MS" if pan.crs else "PAN"
        yield f"{missing} names no reference system and is taken to use that of the other raster."
    if len(pan.bands) > 1:
        yield (
            f"{len(pan.bands)} bands of PAN are used as guides: each band of MS gets a PAN of its own, the combination "
            "of guides that follows it best. Name one band in PAN_BAND to use it alone."
        )
    elif pan.dataset.RasterCount > 1:
        yield f"PAN has {pan.dataset.RasterCount} bands; band {pan.bands[0]} is used."
    if pan.left_out:
        yield f"Band {pan.left_out[0]} of PAN is alpha: it marks gaps and is left out."
    if ms.left_out:
        yield f"Band {ms.left_out[0]} of MS is alpha: it marks gaps and is left out. Name it in MS_BANDS to use it."
    if ms.false_alpha:
        yield f"Band {ms.false_alpha[0]} of MS is declared alpha but holds an image, and is used as one."
    if ms.unmeasured:
        yield "Areas under MASK are sharpened but excluded from measurements and tuning."
    if len(ms.read_bands) > len(set(ms.bands)):
        yield f"Measured on all {len(ms.read_bands)} bands of MS, so that parts of its bands fit together."
    row, column = pair.placement.origin
    yield f"Ratio {pair.placement.ratio:.6g}; first MS pixel centred at PAN row {row:.3f}, column {column:.3f}."


def report_measurement(measured: Measurement, pair: CheckedPair, job: FusionJob, progress: Progress) -> None:
    """Report shift and sharpness of MS, and the statistics."""
    seen, statistics, options = measured.registration, measured.statistics, job.options
    progress.log(_describe_registration(seen, job, measured.displacement))
    if measured.displacement:
        progress.explain(_describe_bands(measured.displacement, pair))
    if seen.reliable:
        row, column = seen.shift
        progress.explain(
            f"Measured shift of MS against PAN: {format_signed(row)} rows, {format_signed(column)} columns (PAN "
            f"pixels), {'not asked for' if options.align == 'off' else 'corrected'}; correlation of details "
            f"{seen.correlation_unshifted:.4f} before, {seen.correlation:.4f} after; "
            f"{100 * seen.left_out:.0f} % of the sample left out (clouds, water, no detail)."
        )
        source = "measured on this scene" if options.gain is None else "as given"
        rows, columns = (
            ", ".join(f"{v:.2f}" for v in values) for values in (seen.transfer.rows, seen.transfer.columns)
        )
        progress.explain(
            f"Transfer function of MS relative to PAN, at 0.1 to 1.0 of the MS Nyquist frequency ({source}): along "
            f"rows {rows}; along columns {columns}."
        )
    means = ", ".join(
        f"{format_figure(m + o, '.4g')} ({format_figure(s, '.3g')})"
        for m, s, o in zip(statistics.ms_mean, statistics.ms_std, pair.ms.offsets)
    )
    if statistics.guides:
        progress.explain(*_describe_guides(statistics, pair), f"Mean (deviation) of the MS bands {means}.")
        return
    pan = statistics.pan_mean[0] + float(pair.pan.offsets[0])
    deviation = format_figure(statistics.pan_std[0], ".3g")
    progress.explain(f"Mean (deviation) of PAN {format_figure(pan, '.4g')} ({deviation}); of the MS bands {means}.")


def _describe_guides(statistics: SceneStatistics, pair: CheckedPair) -> Iterator[str]:
    """Describe the PAN of each band by the deviations that each guide adds, and how well the band follows it."""
    if statistics.guides is None:
        return
    bands = zip(pair.ms.read_bands, statistics.guides.weights, statistics.ms_std, statistics.correlation)
    shares = "; ".join(
        f"band {band} {' '.join(format_signed(w / std) for w in row)} ({fit:.2f})" for band, row, std, fit in bands
    )
    yield f"Weights of the guides in the PAN of each band of MS, in deviations, and correlation of details: {shares}."
    bad = [b for b in pair.ms.bad_bands if b in pair.ms.read_bands]
    if bad:
        yield f"Bands marked bad in the header of MS (bbl) are interpolated, not sharpened: {', '.join(map(str, bad))}."


def _describe_registration(seen: Registration, job: FusionJob, displacement: AlignmentMeasurement | None) -> str:
    """Describe shift and sharpness of MS in one sentence."""
    if not seen.reliable:
        return (
            f"Neither shift nor sharpness of MS can be measured here; an MTF gain of {seen.transfer.gain:.2f} is used."
        )
    row, column = seen.shift
    local = f"; single windows differ from it by up to {seen.distortion:.1f}" if _varies(seen) else ""
    if max(abs(row), abs(column)) < NOTABLE_SHIFT:
        within = "as a whole" if local else f"to within {NOTABLE_SHIFT:g} PAN pixels"
        shift = f"MS is aligned with PAN {within}{local}"
    else:
        corrected = "which is not corrected, as asked for" if job.options.align == "off" else "which is corrected"
        off = f"{format_signed(row)} rows and {format_signed(column)} columns (PAN pixels)"
        shift = f"MS is shifted by {off} against PAN, {corrected}{local}"
    measuring = "measured" if job.options.gain is None else "given"
    sharpness = f"at its finest detail it keeps {100.0 * seen.transfer.gain:.0f} % of the contrast ({measuring})"
    if seen.transfer.peak >= NOTABLE_CREST:
        crest = f"up to {seen.transfer.peak:.2f} times at medium detail"
        sharpness = f"{sharpness} and was sharpened by its maker, {crest}"
    if displacement is not None and displacement.alignment:
        return f"{shift}. {_describe_alignment(displacement)} {sharpness[:1].upper()}{sharpness[1:]}."
    return f"{shift}; {sharpness}."


def _varies(seen: Registration) -> bool:
    return seen.distortion > NOTABLE_DISTORTION


def _describe_alignment(displacement: AlignmentMeasurement) -> str:
    """Describe what was corrected besides the scene's shift, in one sentence."""
    parts = []
    if displacement.max_band_shift > 0.0:
        parts.append(f"bands were shifted by up to {displacement.max_band_shift:.1f} PAN pixels")
    if displacement.variation > 0.0:
        parts.append(f"across the scene the shift varies by {displacement.variation:.1f} PAN pixels")
    corrected = "both corrected" if len(parts) > 1 else "corrected"
    words = f"{'; '.join(parts)}; {corrected}, residual {displacement.residue:.2f}."
    return words[:1].upper() + words[1:]


def _describe_bands(displacement: AlignmentMeasurement, pair: CheckedPair) -> str:
    """List the displacement of each band, and what is left of it and of blocks of the scene."""
    lines = zip(pair.ms.read_bands, displacement.bands, displacement.left)
    bands = "; ".join(
        f"band {number} {' '.join(format_signed(s) for s in shift)} (left {' '.join(format_signed(s) for s in left)})"
        for number, shift, left in lines
    )
    return (
        f"Displacement of each band from the scene's shift, rows and columns in PAN pixels: {bands}. After the "
        f"correction, 90 % of the blocks of the sample lie within {displacement.local_residue:.2f} PAN pixels of the "
        "usual displacement, errors of measurement included."
    )


def warn_of_scene(
    measured: Measurement, pair: CheckedPair, job: FusionJob, weights: Weights, progress: Progress
) -> None:
    """Warn of what may spoil the result."""
    for notice in (
        *_make_registration_notices(measured.registration, job),
        *_make_band_notices(measured, pair, weights),
        *_make_output_notices(measured, pair, job.output),
    ):
        progress.warn(notice)


def _make_registration_notices(registration: Registration, job: FusionJob) -> Iterator[Notice]:
    if not registration.reliable:
        cure = (
            f" No shift within {WIDE_REACH} PAN pixels fits. If these rasters are not aligned, register them "
            "first (Raster, Georeferencer)."
        )
        numbers = {"correlation": registration.correlation, "gain": registration.transfer.gain}
        yield make_notice("not_measurable", numbers, cure="" if job.options.align == "off" else cure)
        return
    if _varies(registration):
        shifts = (" ".join(format_signed(p, 1) for p in s) if s else "cannot tell" for s in registration.local)
        yield make_notice("shift_varies", {"pixels": registration.distortion}, places="; ".join(shifts))
    row, column = registration.shift
    if max(abs(row), abs(column)) > MAX_SHIFT:
        words = {"down": format_signed(row, 1), "across": format_signed(column, 1)}
        yield make_notice("large_shift", {"rows": row, "columns": column}, **words)


def _make_band_notices(measured: Measurement, pair: CheckedPair, weights: Weights) -> Iterator[Notice]:
    statistics = measured.statistics
    for role, raster, fills in (("MS", pair.ms, measured.ms_fill), ("PAN", pair.pan, measured.pan_fill)):
        for fill in fills:
            value = fill.value + float(raster.offsets[0])
            numbers: dict[str, Number] = {"raster": role, "value": value, "share": fill.share}
            words = {"percent": format_percent(fill.share, ".1f"), "words": format_value(value)}
            yield make_notice("undeclared_nodata", numbers, **words)
    if measured.dead:
        word = "band" if len(measured.dead) == 1 else "bands"
        yield make_notice("band_without_pixels", {"bands": ", ".join(map(str, measured.dead))}, word=word)
    bad = pair.ms.bad_bands if statistics.guides else ()
    without = [b for b, trust in zip(pair.ms.read_bands, statistics.trusts) if trust <= 0.0 and b not in bad]
    if statistics.trust <= 0.0:
        fits = statistics.guides.fit if statistics.guides else (statistics.fit,)
        yield make_notice("not_sharpened", {"correlation": max(fits)})
    elif statistics.guides and without:
        yield make_notice("bands_interpolated", {"bands": ", ".join(map(str, without))})
    elif not statistics.guides and statistics.trust < 1.0:
        figures = {"correlation": statistics.fit, "used": statistics.trust}
        yield make_notice("pan_unrelated", figures, percent=100.0 * statistics.trust)
    from ..network.weights import describe_misfit, describe_other_order

    gain = measured.registration.transfer.gain
    unlike = describe_misfit(weights.header, statistics.bands, pair.placement.ratio, gain)
    if unlike:
        yield Notice("weights_of_another_scene", unlike)
    turned = describe_other_order(weights.header, pair.ms.band_names, pair.ms.read_bands)
    if turned:
        yield Notice("bands_in_another_order", turned)


def _make_output_notices(measured: Measurement, pair: CheckedPair, output: Path) -> Iterator[Notice]:
    if not output.suffix.strip("."):
        yield make_notice("no_extension", {}, name=output.name)
    if output.is_symlink():
        yield make_notice("link_replaced", {}, output=output, place=output.readlink())
    if pair.form.lossy:
        yield make_notice("lossy_output", {}, name=output.name)
    if pair.rounds and measured.spread < COARSE_STEPS:
        yield make_notice("values_rounded", {"spread": measured.spread}, type=pair.form.type)
    low, high = pair.form.limits
    if measured.least < low or measured.most > high:
        numbers = {"least": measured.least, "most": measured.most}
        yield make_notice("values_clipped", numbers, type=pair.form.type, low=low, high=high)


def report_tuning(job: FusionJob, progress: Progress) -> None:
    """Report that tuning begins, which takes longest."""
    minutes, steps = job.options.adapt, job.options.adapt_steps
    length = _format_count(minutes, "minute") if steps is None else _format_count(steps, "step")
    progress.log(f"Tuning the weights on this scene for {length}.")


def report_work(plan: FusionPlan, budget: int, progress: Progress) -> None:
    """Report the tiles."""
    work = plan.work
    threads = _format_count(work.threads, "thread")
    progress.explain(f"Tiles of {work.side} pixels, {work.workers} at once, {threads} each, in {budget} MB.")


def report_tuned(result: FinetuneResult, progress: Progress) -> None:
    """Report the gain by tuning on the scene, and which weights are used."""
    before, after = (side["ergas"] for side in (result.before, result.after))
    hqnr = [format_figure(side["hqnr"], ".3f") for side in (result.before, result.after)]
    length = _format_count(result.steps, "step")
    if not result.improved:
        progress.log(
            f"Tuned on this scene for {length}: nothing better was found on the held-out blocks (ERGAS {before:.3g}), "
            "so the weights stay unchanged."
        )
        return
    progress.log(
        f"Tuned on this scene for {length}: ERGAS of the held-out blocks falls from {before:.3g} to {after:.3g}, "
        f"{compare_errors(after, before)} before; HQNR at full resolution goes from {hqnr[0]} to {hqnr[1]}. "
        "Quality figures from here on include ground that tuning has seen."
    )
    progress.explain(f"The tuned weights have SHA-256 {result.weights_sha256}.")


def _format_count(number: float, word: str) -> str:
    """Format a number with its word: 1 step, 2 steps."""
    return f"{number if isinstance(number, int) else f'{number:g}'} {word}{'' if number == 1 else 's'}"


def warn_network_left_out(estimate: QualityEstimate, job: FusionJob, progress: Progress) -> None:
    """Warn that the injection of PAN's detail is used alone."""
    cure = "" if job.options.adapts else " QUALITY=tuned may do better."
    numbers = {"injection": estimate.errors[INJECTION], "network": estimate.errors[NETWORK]}
    progress.warn(make_notice("network_left_out", numbers, ratio=estimate.ratio, cure=cure))


def report_quality(estimate: QualityEstimate, progress: Progress) -> None:
    """Report the quality of the result on pieces of the scene, and warn where it is poor."""
    progress.explain(*_describe_quality(estimate))
    worse = make_quality_notice(estimate)
    if worse:
        progress.warn(worse)


def _describe_quality(estimate: QualityEstimate) -> Iterator[str]:
    """Describe the quality of the result on pieces of the scene."""
    share = "" if estimate.compared == estimate.bands else f", {estimate.compared} of {estimate.bands} bands"
    if estimate.errors:
        interpolated, classical = estimate.errors[INTERPOLATION], estimate.errors[estimate.classical]
        yield (
            f"On this scene, made {estimate.ratio:.3g} times coarser, ERGAS is "
            f"{format_figure(estimate.ergas, '.3g')} (0 is perfect{share}); interpolation has "
            f"{format_figure(interpolated, '.3g')}, and the best classical "
            f"method ({estimate.classical}) {format_figure(classical, '.3g')}."
        )
    else:
        yield "The scene is too small, or shows too little, to be measured against a reference one scale down."
    if estimate.hqnr is not None:
        yield (
            f"Quality without reference at full resolution (HQNR of {_format_count(estimate.pieces, 'piece')}{share}): "
            f"{estimate.hqnr:.3f}; interpolation, which changes no colours and sharpens nothing, has "
            f"{estimate.interpolated_hqnr:.3f}."
        )


def make_quality_notice(estimate: QualityEstimate) -> Notice | None:
    """Make a warning where a result looks worse than interpolation, else None."""
    signs: list[str] = []
    numbers: dict[str, Number] = {}
    plain = estimate.errors.get(INTERPOLATION, 0.0)
    if estimate.ergas is not None and estimate.ergas > max(NOTABLE_ERROR * plain, NEGLIGIBLE):
        signs.append(f"ERGAS {estimate.ergas:.3g} against {plain:.3g} where it is made coarser")
        numbers |= {"ergas": estimate.ergas, "ergas_interpolation": plain}
    soft = estimate.interpolated_hqnr
    if estimate.hqnr is not None and soft is not None and estimate.hqnr < soft - NOTABLE_LOSS:
        signs.append(f"HQNR {estimate.hqnr:.3f} against {soft:.3f}")
        numbers |= {"hqnr": estimate.hqnr, "interpolation": soft}
    if not signs:
        return None
    return make_notice("worse_than_interpolation", numbers, signs="; ".join(signs))


def summarise_quality(estimate: QualityEstimate | None) -> str:
    """Summarise the quality in one sentence with a space behind it; empty where it was not estimated."""
    if estimate is None:
        return ""
    if estimate.ergas is None:
        return "The scene is too small, or shows too little, for its quality to be measured. "
    best = min(estimate.errors[INTERPOLATION], estimate.errors[estimate.classical])
    return (
        f"Made {estimate.ratio:.3g} times coarser, the scene is sharpened with an error (ERGAS) of "
        f"{format_figure(estimate.ergas, '.3g')}, {compare_errors(estimate.ergas, best)} the "
        "best of interpolation and the classical methods. "
    )
