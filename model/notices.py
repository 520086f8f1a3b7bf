"""Warnings as data: a code, its numbers, and the sentence for the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

Number = Union[float, int, str]
SENTENCES: Mapping[str, str] = {  # of the notices of a fusion, by their codes
    "previous_files_kept": "A run that was killed was replacing {files}, and these files cannot be put back, because "
    "others have their names. They are in {aside}. Move them where you want them, or delete that folder.",
    "not_tuned": "Not tuned on this scene, the weights are used unchanged: {error}",
    "network_left_out": "Made {ratio:.3g} times coarser, the scene is sharpened better by plain injection of PAN's "
    "detail (ERGAS {injection:.3g}) than by the network ({network:.3g}), so the injection is used alone.{cure}",
    "result_clipped": "Values of the result beyond {low:.6g} to {high:.6g} were clipped: {counts} (up to {percent:.2g} "
    "% of a band). Leave such pixels out before computing ratios of bands.",
    "undeclared_nodata": "{percent} of the sampled {raster} pixels are {words} in every band, in flat areas, but "
    "{words} is not declared as nodata: a collar, holes or saturation. The statistics leave them out; the result shows "
    "them as image. If they are gaps, declare {words} as nodata in the layer's properties (Transparency), then run "
    "again.",
    "band_without_pixels": "MS has no valid pixel in {word} {bands}, so the output has none there either. Leave such "
    "bands out with MS_BANDS, or check their nodata value.",
    "not_sharpened": "The result is not sharpened, only interpolated: PAN does not follow the bands (correlation of "
    "details {correlation:.2f}). Choose PAN and MS of one recording.",
    "pan_unrelated": "PAN hardly follows the bands (correlation of details {correlation:.2f}), so only {percent:.0f} % "
    "of its detail is used; the rest is interpolation. Check that both rasters show the same scene.",
    "bands_interpolated": "No combination of the bands of PAN follows band {bands} of MS: interpolated, not sharpened. "
    "What PAN does not show cannot be added.",
    "no_extension": "{name} has no extension and is written as ENVI, with a header next to it. Use .tif for a GeoTIFF.",
    "link_replaced": "{output} is a link to {place}: the result takes the place of the link, and what it points to "
    "is left unchanged.",
    "lossy_output": "The format or the compression of {name} is lossy: the values are changed a little. For exact "
    "values use .tif without compression or with COMPRESS=DEFLATE.",
    "values_rounded": "Most values of MS lie within {spread:.3g} of each other, and as {type} they are rounded to "
    "whole numbers, so that steps may show. Leave DATA_TYPE as MS, or scale MS first.",
    "values_clipped": "MS holds values from {least:.6g} to {most:.6g}, but {type} only those from {low:.6g} to "
    "{high:.6g}: the others are clipped.",
    "not_measurable": "Shift and MTF gain cannot be measured here (correlation of details {correlation:.2f}): no shift "
    "is corrected and the gain is taken as {gain:.2f}.{cure}",
    "shift_varies": "The shift differs by up to {pixels:.1f} PAN pixels within the scene (terrain, moving clouds or a "
    "distorted grid), which one shift for the whole scene cannot correct. Rows and columns in the sampled windows, "
    "line by line: {places}.",
    "large_shift": "By their georeference the rasters lie {down} rows and {across} columns (PAN pixels) off each "
    "other. That is corrected, and the output ends where MS then ends; better check the georeference.",
    "worse_than_interpolation": "The result looks worse than interpolated MS ({signs}). Likely causes: nodata that is "
    "not declared, a shift that is not corrected, clouds that moved, or rasters of different dates.",
    "smaller_tiles": "{device} has too little free memory: pieces of {side} pixels from here on.",
    "device_out_of_memory": "{device} has no memory even for small pieces: the CPU goes on, in 32-bit floats.",
}


@dataclass(frozen=True)
class Notice:
    """A warning about a run.

    code      the same word for the same cause, for programs
    sentence  for people: what happened, why it matters, what to do
    numbers   the figures of the sentence
    """

    code: str
    sentence: str
    numbers: Mapping[str, Number] = field(default_factory=dict)


def make_notice(code: str, numbers: Mapping[str, Number], **words: Any) -> Notice:
    """Make a notice whose sentence, one of `SENTENCES`, is filled with its numbers and with words."""
    return Notice(code, SENTENCES[code].format(**numbers, **words), numbers)
