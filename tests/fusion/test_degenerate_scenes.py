"""Scenes with next to nothing in them: a result and right figures, or a refusal before anything is written."""

from __future__ import annotations

import math
import re

import pytest
from helpers.degenerate import FUSED, REFUSED, constant_ms, equal_bands, write_scene
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe, load_image
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress

NO_FIGURE = re.compile(r"\b(nan|inf)\b|-0\.0+\b(?!\d)", re.IGNORECASE)


@pytest.mark.promise(27)
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", FUSED)
def test_scene_with_little_in_it_is_fused_and_logged(tmp_path, make):
    pair = write_scene(make, tmp_path)
    lines: list[str] = []
    result = fuse(job(pair, tmp_path / "o.tif"), Progress(log=lines.append))
    assert load_image(tmp_path / "o.tif").shape[0] == 4
    text = "\n".join(line.replace(str(tmp_path), "") for line in lines)
    assert not NO_FIGURE.search(text), text
    assert "Done in" in lines[-1]
    for figure in (result.metrics.hqnr, result.metrics.ergas, result.metrics.gain, *result.metrics.shift):
        assert figure is None or math.isfinite(figure)
    facts = gdal.Open(str(tmp_path / "o.tif")).GetMetadata()
    assert not any(NO_FIGURE.search(value) for key, value in facts.items() if key.startswith("OTFM_"))


@pytest.mark.promise(27)
@pytest.mark.parametrize("make", REFUSED)
def test_scene_with_nothing_in_it_is_refused_first(tmp_path, make):
    pair = write_scene(make, tmp_path)
    (tmp_path / "o.tif").write_bytes(b"old")
    with pytest.raises(InputError, match=r"\d+ %? ?(of the sampled pixels|pixels are valid)"):
        fuse(job(pair, tmp_path / "o.tif"))
    assert (tmp_path / "o.tif").read_bytes() == b"old"


@pytest.mark.promise(27)
@pytest.mark.parametrize(("make", "words"), [(constant_ms, "as small as the"), (equal_bands, r"\d+ % less than the")])
def test_summary_compares_errors_in_right_words(tmp_path, make, words):
    lines: list[str] = []
    fuse(job(write_scene(make, tmp_path), tmp_path / "o.tif"), Progress(log=lines.append))
    assert re.search(words, lines[-1])


@pytest.mark.promise(27)
def test_nothing_fails_a_run_whose_result_is_in_place(tmp_path):
    """A progress that breaks at the end, as one that prints into a closed pipe."""
    pair = Recipe(bands=1).write(tmp_path)
    target = tmp_path / "o.tif"

    def broken(*words):
        if target.exists():
            raise BrokenPipeError

    result = fuse(job(pair, target), Progress(report=broken, log=broken, detail=broken, notice=broken))
    assert result.output == target
    assert load_image(target).shape == pair.reference[:1].shape
    assert temporaries(tmp_path) == []
