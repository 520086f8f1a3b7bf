"""Measurements of the last scenes, so that a preview is fast and what follows it need not measure again."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ..progress import Progress
from ..raster.source_files import on_disk
from .check import CheckedPair
from .job import FusionJob
from .measure import Measurement, measure

MOST_SCENES = 2  # each holds some ten windows of both rasters

_SCENES: OrderedDict[Any, Measurement] = OrderedDict()


def measured_once(pair: CheckedPair, job: FusionJob, progress: Progress) -> Measurement:
    """`measure`, or what it gave for the same rasters, bands and wishes, if no file of theirs has changed since.

    What lies elsewhere than in files, as in a store, may change without a sign, so it is measured anew each time.

    Scenes with undeclared fill are measured anew: how much of it is too much depends on the extent. Raises InputError.
    """
    pan, ms = pair.pan, pair.ms
    key = pan.state, ms.state, job.align, job.gain
    known = _SCENES.pop(key, None)
    measured = known or measure(pair, job.align, job.transfer, progress)
    if known and known.dead:
        ms.leave_out(known.dead)
    telling = all(raster.files and on_disk(raster.source.gdal_name) for raster in (pan, ms))
    if telling and not (measured.ms_fill or measured.pan_fill):
        _SCENES[key] = measured
        while len(_SCENES) > MOST_SCENES:
            _SCENES.popitem(last=False)
    return measured
