"""What a run says: the sentences of its log, and its warnings as notices. No other module words them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..finetuning.job import FinetuneResult
from ..geometry.grids import Window
from ..geometry.transfer import TransferFunction
from ..notices import Notice
from ..quality.comparison import INJECTION, INTERPOLATION, NETWORK
from ..scene.coarse_search import WIDE_REACH
from ..scene.detail_correlation import LARGEST_SHIFT
from ..scene.registration import Registration
from ..staging import PREVIOUS, StaleRun
from ..wording import NEGLIGIBLE, compare_errors, format_figure, format_percent, format_signed, format_value
from .check import CheckedPair
from .job import FusionJob
from .measure import Measurement

if TYPE_CHECKING:
    from .plan import Engine, FusionPlan
    from .quality_estimate import QualityEstimate

COARSE_STEPS = 32.0  # fewer whole numbers than these show
NOTABLE_DISTORTION = 0.5  # PAN pixels by which a window's own shift differs from the scene's
NOTABLE_SHIFT = 0.05  # PAN pixels; less cannot be seen
NOTABLE_CREST = 1.05  # of the transfer function; makers sharpen by up to 1.4
NOTABLE_LOSS = 0.05  # of HQNR against interpolation
NOTABLE_ERROR = 1.02  # ERGAS over that of interpolation


def inputs(pair: CheckedPair) -> str:
    """The first line: what goes in."""
    pan, ms = pair.pan, pair.ms
    band = f"band {pan.bands[0]} of {pan.dataset.RasterCount}, " if pan.dataset.RasterCount > 1 else ""
    count = _count(len(ms.bands), "band")
    return (
        f"PAN {Path(pan.source.name).name} ({band}{pan.grid.width} x {pan.grid.height} pixels) and MS "
        f"{Path(ms.source.name).name} ({count}, {ms.grid.width} x {ms.grid.height} pixels, {ms.type}), ratio "
        f"{pair.placement.ratio:.4g}."
    )


def found(measured: Measurement, job: FusionJob) -> str:
    """The second line: how MS lies on PAN and how sharp it is."""
    seen = measured.registration
    if not seen.reliable:
        return (
            f"Neither shift nor sharpness of MS can be measured here; an MTF gain of {seen.transfer.gain:.2f} is used."
        )
    row, column = seen.shift
    if max(abs(row), abs(column)) < NOTABLE_SHIFT:
        place = f"MS lies on PAN to within {NOTABLE_SHIFT:g} PAN pixels"
    else:
        corrected = "which is corrected" if job.align else "which is not corrected, as asked for"
        off = f"{format_signed(row)} rows and {format_signed(column)} columns (PAN pixels)"
        place = f"MS lies {off} off PAN, {corrected}"
    return f"{place}; {_sharpness(seen.transfer, job)}."


def _sharpness(transfer: TransferFunction, job: FusionJob) -> str:
    """How sharp MS is, in words."""
    measuring = "measured" if job.gain is None else "given"
    said = f"at its finest detail it keeps {100.0 * transfer.gain:.0f} % of the contrast ({measuring})"
    if transfer.peak < NOTABLE_CREST:
        return said
    return f"{said} and was sharpened by its maker, up to {transfer.peak:.2f} times at medium detail"


def quality_summary(made: QualityEstimate | None) -> str:
    """How good the result is in one sentence with a space behind it; empty where that was not measured."""
    if made is None:
        return ""
    if made.ergas is None:
        return "The scene is too small, or shows too little, for its quality to be measured. "
    best = min(made.errors[INTERPOLATION], made.errors[made.classical])
    return (
        f"Made {made.ratio:.3g} times coarser, the scene is sharpened with an error (ERGAS) of "
        f"{format_figure(made.ergas, '.3g')}, {compare_errors(made.ergas, best)} the "
        "best of interpolation and the classical methods. "
    )


def rasters(pair: CheckedPair) -> Iterator[str]:
    """What goes in, closely, and what the files do not say and is taken for granted."""
    pan, ms = pair.pan, pair.ms
    if ms.reprojected:
        yield "MS has another reference system and is reprojected to PAN's while it is read (cubic)."
    yield f"PAN: {pan.source.name}, {pan.grid.describe()}, {pan.type}."
    yield f"MS: {ms.source.name}, bands {', '.join(map(str, ms.bands))}, {ms.grid.describe()}, {ms.type}."
    if not pan.grid.georeferenced:
        yield "Neither raster has a georeference: both are taken to cover the same area."
    elif bool(pan.crs) != bool(ms.crs):
        missing = "MS" if pan.crs else "PAN"
        yield f"{missing} names no reference system and is taken to use that of the other raster."
    if pan.dataset.RasterCount > 1:
        yield f"PAN has {pan.dataset.RasterCount} bands; band {pan.bands[0]} is used."
    if ms.left_out:
        yield f"Band {ms.left_out[0]} of MS is alpha: it marks gaps and is left out. Name it in MS_BANDS to use it."
    if ms.false_alpha:
        yield f"Band {ms.false_alpha[0]} of MS is declared alpha but holds an image, and is used as one."
    if ms.source.unmeasured:
        yield "What the polygons of MASK touch is sharpened, but left out of all that is measured and tuned on."
    if len(ms.read_bands) > len(set(ms.bands)):
        yield f"Measured on all {len(ms.read_bands)} bands of MS, so that parts of its bands fit together."
    row, column = pair.placement.origin
    yield f"Ratio {pair.placement.ratio:.6g}; first MS pixel centred at PAN row {row:.3f}, column {column:.3f}."


def removed(stale: StaleRun) -> str:
    """What a killed run had left, and which files it was replacing."""
    back = f" The files that it was replacing are back: {', '.join(stale.restored)}." if stale.restored else ""
    return f"Removed {stale.folder}, which a run that was killed had left.{back}"


def previous_files_kept(stale: StaleRun) -> Notice:
    """Files that a killed run was replacing and that could not be put back."""
    names = ", ".join(stale.kept)
    return Notice(
        "previous_files_kept",
        f"A run that was killed was replacing {names}, and these files cannot be put back, because others have their "
        f"names. They are in {stale.folder / PREVIOUS}. Move them where you want them, or delete that folder.",
        {"folder": str(stale.folder), "files": names},
    )


def tuning(job: FusionJob) -> str:
    """What is begun, which takes longer than all else."""
    length = _count(job.adapt, "minute") if job.adapt_steps is None else _count(job.adapt_steps, "step")
    return f"Tuning the weights on this scene for {length}."


def tuned(found: FinetuneResult) -> str:
    """What tuning on the scene won."""
    before, after = (side["ergas"] for side in (found.before, found.after))
    hqnr = [format_figure(side["hqnr"], ".3f") for side in (found.before, found.after)]
    if not found.improved:
        return (
            f"Tuned on this scene for {_count(found.steps, 'step')}: nothing better was found on the held-out blocks "
            f"(ERGAS {before:.3g}), so the weights are used as they are."
        )
    return (
        f"Tuned on this scene for {_count(found.steps, 'step')}: ERGAS of the held-out blocks falls from "
        f"{before:.3g} to {after:.3g}, {compare_errors(after, before)} before; HQNR at full "
        f"resolution goes from {hqnr[0]} to {hqnr[1]}. What the log "
        "says of quality from here on is of ground that tuning has seen too."
    )


def tuned_weights(found: FinetuneResult) -> str:
    """Which weights are used once the scene was tuned on."""
    return f"The tuned weights have SHA-256 {found.weights_sha256}."


def not_tuned(error: InputError) -> Notice:
    """Why the scene was not tuned on."""
    return Notice("not_tuned", f"Not tuned on this scene, the weights are used as they are: {error}")


def engine(chosen: Engine, name: str, reason: str) -> Iterator[str]:
    """What computes."""
    yield f"Weights: {name}, SHA-256 {chosen.weights_sha256}."
    yield f"Device: {', '.join(chosen.devices)}, {chosen.precision} ({reason}), {_count(chosen.steps, 'step')}."


def measurement(measured: Measurement, pair: CheckedPair, job: FusionJob) -> Iterator[str]:
    """What was measured."""
    found, statistics = measured.registration, measured.statistics
    if found.reliable:
        row, column = found.shift
        yield (
            f"Measured shift of MS against PAN: {format_signed(row)} rows, {format_signed(column)} columns (PAN "
            f"pixels), {'corrected' if job.align else 'not asked for'}; correlation of details "
            f"{found.correlation_unshifted:.4f} before, {found.correlation:.4f} after; "
            f"{100 * found.left_out:.0f} % of the sample left out (clouds, water, no detail)."
        )
        source = "measured on this scene" if job.gain is None else "as given"
        rows, columns = (
            ", ".join(f"{v:.2f}" for v in values) for values in (found.transfer.rows, found.transfer.columns)
        )
        yield (
            f"Transfer function of MS relative to PAN, at 0.1 to 1.0 of the MS Nyquist frequency ({source}): along "
            f"rows {rows}; along columns {columns}."
        )
    means = ", ".join(
        f"{format_figure(m + o, '.4g')} ({format_figure(s, '.3g')})"
        for m, s, o in zip(statistics.ms_mean, statistics.ms_std, pair.ms.offsets)
    )
    pan = statistics.pan_mean[0] + float(pair.pan.offsets[0])
    deviation = format_figure(statistics.pan_std[0], ".3g")
    yield f"Mean (deviation) of PAN {format_figure(pan, '.4g')} ({deviation}); of the MS bands {means}."


def work(plan: FusionPlan, budget: int) -> str:
    """How the raster is cut."""
    made = plan.work
    threads = _count(made.threads, "thread")
    return f"Tiles of {made.side} pixels, {made.workers} at once, {threads} each, in {budget} MB."


def clipped(plan: FusionPlan, counts: Mapping[int, int], share: float) -> Notice:
    """The warning that values of the result lay beyond what the output holds; `counts` by place in the statistics."""
    numbers = {plan.ms.bands[plan.outputs.index(place)]: count for place, count in sorted(counts.items())}
    told = ", ".join(f"{count} of band {band}" for band, count in numbers.items())
    low, high = plan.form.limits
    low = low if plan.lowest is None else max(low, plan.lowest)
    return Notice(
        "result_clipped",
        f"Values of the result beyond {low:.6g} to {high:.6g} were clipped: {told} (up to {100.0 * share:.2g} % of a "
        "band). Leave such pixels out before computing ratios of bands.",
        {f"band_{band}": count for band, count in numbers.items()},
    )


def network_left_out(found: QualityEstimate) -> Notice:
    """The warning that the injection of PAN's detail is used alone."""
    injection, network = found.errors[INJECTION], found.errors[NETWORK]
    return Notice(
        "network_left_out",
        f"Made {found.ratio:.3g} times coarser, the scene is sharpened better by plain injection of PAN's detail "
        f"(ERGAS {injection:.3g}) than by the network ({network:.3g}), so the injection is used alone. "
        "QUALITY=tuned may do better.",
        {"injection": injection, "network": network},
    )


def notices(measured: Measurement, pair: CheckedPair, job: FusionJob, header: dict[str, str]) -> Iterator[Notice]:
    """What the user should know before trusting the result."""
    found, statistics = measured.registration, measured.statistics
    yield from _of_registration(found, job)
    for role, raster, fills in (("MS", pair.ms, measured.ms_fill), ("PAN", pair.pan, measured.pan_fill)):
        for fill in fills:
            yield _undeclared(role, fill.value + float(raster.offsets[0]), fill.share)
    if measured.dead:
        numbers = ", ".join(map(str, measured.dead))
        yield Notice(
            "band_without_pixels",
            f"MS has no valid pixel in {'band' if len(measured.dead) == 1 else 'bands'} {numbers}, so the output has "
            "none there either. Leave such bands out with MS_BANDS, or check their nodata value.",
            {"bands": numbers},
        )
    if statistics.trust <= 0.0:
        yield Notice(
            "not_sharpened",
            f"The result is not sharpened, only interpolated: PAN does not follow the bands (correlation of details "
            f"{statistics.fit:.2f}). Choose PAN and MS of one recording.",
            {"correlation": statistics.fit},
        )
    elif statistics.trust < 1.0:
        yield Notice(
            "pan_unrelated",
            f"PAN hardly follows the bands (correlation of details {statistics.fit:.2f}), so only "
            f"{100 * statistics.trust:.0f} % of its detail is used; the rest is interpolation. Check that both "
            "rasters show the same scene.",
            {"correlation": statistics.fit, "used": statistics.trust},
        )
    from ..network.weights import misfit, other_order

    unlike = misfit(header, statistics.bands, pair.placement.ratio, found.transfer.gain)
    if unlike:
        yield Notice("weights_of_another_scene", unlike)
    turned = other_order(header, pair.ms.band_names, pair.ms.read_bands)
    if turned:
        yield Notice("bands_in_another_order", turned)
    yield from _of_the_place(job.output)
    if pair.form.lossy:
        yield Notice(
            "lossy_output",
            f"The format or the compression of {job.output.name} is lossy: the values are changed a little. For exact "
            "values use .tif without compression or with COMPRESS=DEFLATE.",
        )
    if pair.rounds and measured.spread < COARSE_STEPS:
        yield Notice(
            "values_rounded",
            f"Most values of MS lie within {measured.spread:.3g} of each other, and as {pair.form.type} they are "
            "rounded to whole numbers, so that steps may show. Leave DATA_TYPE as MS, or scale MS first.",
            {"spread": measured.spread},
        )
    low, high = pair.form.limits
    if measured.least < low or measured.most > high:
        yield Notice(
            "values_clipped",
            f"MS holds values from {measured.least:.6g} to {measured.most:.6g}, but {pair.form.type} only those from "
            f"{low:.6g} to {high:.6g}: the others are clipped.",
            {"least": measured.least, "most": measured.most},
        )


def _count(number: float, word: str) -> str:
    """A number with its word in the right number: 1 step, 2 steps."""
    return f"{number if isinstance(number, int) else f'{number:g}'} {word}{'' if number == 1 else 's'}"


def _of_the_place(output: Path) -> Iterator[Notice]:
    if not output.suffix.strip("."):
        yield Notice(
            "no_extension",
            f"{output.name} has no extension and is written as ENVI, with a header beside it. Use .tif for a GeoTIFF.",
        )
    if output.is_symlink():
        yield Notice(
            "link_replaced",
            f"{output} is a link to {output.readlink()}: the result takes the place of the link, and what it points to "
            "stays as it was.",
        )


def _undeclared(role: str, value: float, share: float) -> Notice:
    return Notice(
        "undeclared_nodata",
        f"{format_percent(share, '.1f')} of the sampled {role} pixels are {format_value(value)} in every band, in flat "
        f"areas, but {format_value(value)} is not declared as nodata: a collar, holes or saturation. The statistics "
        f"leave them out; the result shows them as image. If they are gaps, declare {format_value(value)} as nodata in "
        "the layer's properties (Transparency), then run again.",
        {"raster": role, "value": value, "share": share},
    )


def _of_registration(found: Registration, job: FusionJob) -> Iterator[Notice]:
    if not found.reliable:
        cure = (
            f" No shift within {WIDE_REACH} PAN pixels fits. If these rasters do not lie on each other, register them "
            "first (Raster, Georeferencer)."
            if job.align
            else ""
        )
        yield Notice(
            "not_measurable",
            f"Shift and MTF gain cannot be measured here (correlation of details {found.correlation:.2f}): "
            f"no shift is corrected and the gain is taken as {found.transfer.gain:.2f}.{cure}",
            {"correlation": found.correlation, "gain": found.transfer.gain},
        )
        return
    if found.distortion > NOTABLE_DISTORTION:
        own = (" ".join(format_signed(p, 1) for p in s) if s else "cannot tell" for s in found.local)
        places = "; ".join(own)
        yield Notice(
            "shift_varies",
            f"The shift differs by up to {found.distortion:.1f} PAN pixels within the scene (terrain, "
            "moving clouds or a distorted grid), which one shift for the whole scene cannot correct. Rows and "
            f"columns in the sampled windows, line by line: {places}.",
            {"pixels": found.distortion},
        )
    row, column = found.shift
    if max(abs(row), abs(column)) > LARGEST_SHIFT:
        yield Notice(
            "large_shift",
            f"By their georeference the rasters lie {format_signed(row, 1)} rows and {format_signed(column, 1)} "
            "columns (PAN pixels) off each other. That is corrected, and the output ends where MS then ends; better "
            "check the georeference.",
            {"rows": row, "columns": column},
        )


def quality(found: QualityEstimate) -> Iterator[str]:
    """How good the result is on pieces of the scene."""
    share = "" if found.compared == found.bands else f", {found.compared} of {found.bands} bands"
    if found.errors:
        interpolated, classical = found.errors[INTERPOLATION], found.errors[found.classical]
        yield (
            f"On this scene, made {found.ratio:.3g} times coarser, ERGAS is {format_figure(found.ergas, '.3g')} (0 is "
            f"perfect{share}); interpolation has {format_figure(interpolated, '.3g')}, and the best classical "
            f"method ({found.classical}) {format_figure(classical, '.3g')}."
        )
    else:
        yield "The scene is too small, or shows too little, to be measured against a reference one scale down."
    if found.hqnr is not None:
        yield (
            f"Quality without reference at full resolution (HQNR of {_count(found.pieces, 'piece')}{share}): "
            f"{found.hqnr:.3f}; interpolation, which changes no colours and sharpens nothing, has "
            f"{found.interpolated_hqnr:.3f}."
        )


def quality_notice(found: QualityEstimate) -> Notice | None:
    """A warning where a result looks worse than interpolation; None else."""
    signs: list[str] = []
    numbers: dict[str, float] = {}
    plain = found.errors.get(INTERPOLATION, 0.0)
    if found.ergas is not None and found.ergas > max(NOTABLE_ERROR * plain, NEGLIGIBLE):
        signs.append(f"ERGAS {found.ergas:.3g} against {plain:.3g} where it is made coarser")
        numbers |= {"ergas": found.ergas, "ergas_interpolation": plain}
    soft = found.interpolated_hqnr
    if found.hqnr is not None and soft is not None and found.hqnr < soft - NOTABLE_LOSS:
        signs.append(f"HQNR {found.hqnr:.3f} against {soft:.3f}")
        numbers |= {"hqnr": found.hqnr, "interpolation": soft}
    if not signs:
        return None
    return Notice(
        "worse_than_interpolation",
        f"The result looks worse than interpolated MS ({'; '.join(signs)}). Likely causes: nodata that is not "
        "declared, a shift that is not corrected, clouds that moved, or rasters of different dates.",
        numbers,
    )


def less_memory(device: str, side: int | None) -> Notice:
    """A device ran out of memory: smaller parts of `side` pixels from then on, or, without one, the CPU."""
    if side is None:
        sentence = f"{device} has no memory even for small pieces: the CPU goes on, in 32-bit floats."
        return Notice("device_out_of_memory", sentence, {"device": device})
    sentence = f"{device} has too little free memory: pieces of {side} pixels from here on."
    return Notice("smaller_tiles", sentence, {"device": device, "side": side})


def not_finite(tile: Window) -> str:
    """Why a tile of PAN is no part of a raster."""
    return (
        f"Around row {tile.top}, column {tile.left} of PAN ({tile.width} x {tile.height} pixels) the result is not "
        "finite. Use the bundled weights; where they are in use, PAN or MS hold absurd values there: declare them as "
        "nodata."
    )
