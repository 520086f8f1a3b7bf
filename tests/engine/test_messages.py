"""Jobs and results as lines of JSON, and back as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from otfm_pansharpen.engine.messages import from_line, to_line
from otfm_pansharpen.model.finetuning.job import FinetuneJob, TuningPair
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.raster.source import RasterSource

SOURCE = RasterSource(
    "Größe/大.tif",
    ("NUM_THREADS=2",),
    (3, 1),
    band_nodata=((1, -np.inf, 0.1), (2, 5.0, 5.0)),
    ignored_nodata=(2,),
    crs="x",
)
FUSION = FusionJob(
    SOURCE, replace(SOURCE, bands=()), Path("C:\\out put\\ö.tif"), extent=(1.5, 2.0, 3.0, 1e300), gain=0.3,
    creation_options=("COMPRESS=DEFLATE",),
)  # fmt: skip
TUNING = FinetuneJob((TuningPair(SOURCE, SOURCE, None), TuningPair(SOURCE, SOURCE, (0.0, 1.0, 2.0, 3.0))), Path("o"))


@pytest.mark.parametrize("job", [FUSION, TUNING])
def test_a_job_comes_back_as_it_was(job):
    assert from_line(to_line({"job": job})) == {"job": job}


def test_a_name_that_is_no_text_comes_back_as_it_was():
    odd = Path(b"not utf-8 \xff.tif".decode("utf-8", "surrogateescape"))
    assert from_line(to_line({"job": replace(FUSION, output=odd)}))["job"].output == odd


def test_numbers_of_numpy_become_plain_ones():
    assert from_line(to_line({"a": np.float32(0.5), "b": np.int64(3)})) == {"a": 0.5, "b": 3}


def test_a_message_is_one_line_whatever_is_in_it():
    assert to_line({"log": "two\nlines"}).count(b"\n") == 1


def test_what_is_no_message_is_refused():
    with pytest.raises(ValueError, match="no message"):
        from_line(b"[1, 2]\n")
