"""The functions for Python programs: files and arrays give the pixels that the pipeline gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen import sharpen, sharpen_arrays
from otfm_pansharpen.model.errors import CancelledError, InputError, WeightsError
from otfm_pansharpen.model.options import BUNDLED
from otfm_pansharpen.model.progress import Progress

EXACT: dict[str, Any] = {"device": "cpu", "precision": "fp32"}


def transform(path):
    return gdal.Open(str(path)).GetGeoTransform()


@pytest.mark.parametrize("type_name", ["uint8", "uint16", "float32"])
def test_arrays_give_what_files_give(tmp_path, type_name):
    pair = Recipe(dtype=type_name, scale=0.1 if type_name == "uint8" else 1.0, nodata=0).write(tmp_path)
    expected, result = run(pair, tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    fused = sharpen_arrays(pan, ms, transform(pair.pan), transform(pair.ms), nodata=0, **EXACT)
    assert fused.values.dtype == ms.dtype
    assert np.array_equal(fused.values, expected)
    assert fused.transform == transform(result.output)
    assert fused.nodata == 0
    assert fused.hqnr == result.metrics.hqnr


def test_arrays_become_the_picture_that_files_become(tmp_path):
    pair = Recipe(scale=0.07).write(tmp_path)
    stretch = ((20.0, 150.0),) * 4
    expected, _ = run(pair, tmp_path, stretch=stretch)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    fused = sharpen_arrays(pan, ms, transform(pair.pan), transform(pair.ms), stretch=stretch, **EXACT)
    assert np.array_equal(fused.values, expected)


@pytest.mark.parametrize("apart", [False, True])
def test_sharpen_takes_paths_and_gives_what_fuse_gives(tmp_path, apart):
    pair = Recipe(bands=3).write(tmp_path)
    expected, _ = run(pair, tmp_path, "expected.tif")
    ms: Any = pair.ms
    if apart:
        ms = [
            gdal.Translate(str(tmp_path / f"b{n}.tif"), str(pair.ms), bandList=[n]).GetDescription() for n in (1, 2, 3)
        ]
    lines: list[str] = []
    result = sharpen(str(pair.pan), ms, tmp_path / "o.tif", progress=Progress(log=lines.append), **EXACT)
    assert np.array_equal(load_image(result.output), expected)
    assert lines


def test_quality_of_sharpen_is_a_word_or_a_file(tmp_path):
    pair = Recipe(ratio=2.0, height=192, width=192).write(tmp_path)
    digests = [
        sharpen(pair.pan, pair.ms, tmp_path / "o.tif", quality, estimate_quality=False, **EXACT).weights_sha256
        for quality in ("fast", "best", BUNDLED["best"])
    ]
    assert digests[0] != digests[1] == digests[2]
    tuned = sharpen(pair.pan, pair.ms, tmp_path / "t.tif", "tuned", adapt_steps=1, **EXACT)
    assert tuned.output.is_file()


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"quality": "bset"}, WeightsError), ({"ms": []}, InputError), ({"pan": "no.tif"}, InputError)],
)
def test_sharpen_refuses_what_it_cannot_use_in_a_sentence(tmp_path, changes, error):
    pair = Recipe().write(tmp_path)
    with pytest.raises(error, match=r"bset|empty list|no\.tif"):
        sharpen(**{"pan": pair.pan, "ms": pair.ms, "output": tmp_path / "o.tif", **changes})
    assert not (tmp_path / "o.tif").exists()


def test_window_cut_by_a_large_shift_has_the_origin_of_the_cut(tmp_path):
    pair = Recipe(bands=6, ratio=2, height=320, width=320).write(tmp_path)
    save(pair.pan, load_image(pair.pan), transform=(5e5 + 70, 2, 0, 4e6, 0, -2))
    save(pair.ms, load_image(pair.ms)[:, :, 30:], transform=(5e5 + 120, 4, 0, 4e6, 0, -4))
    expected, result = run(pair, tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    fused = sharpen_arrays(pan, ms, transform(pair.pan), transform(pair.ms), **EXACT)
    assert np.array_equal(fused.values, expected)
    assert transform(result.output)[0] == 5e5 + 70 + 2 * 60  # MS begins here, not where its georeference says
    assert fused.transform == transform(result.output)


def test_without_geotransforms_both_cover_the_same_area(tmp_path):
    pair = Recipe(ratio=2.0).write(tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    assert sharpen_arrays(pan, ms, **EXACT).values.shape == (4, *pan.shape)


def test_what_cannot_be_fused_is_one_sentence(tmp_path):
    pair = Recipe().write(tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    with pytest.raises(InputError, match=r"\(bands, h, w\)"):
        sharpen_arrays(pan, ms[0])
    with pytest.raises(InputError, match="complex64"):
        sharpen_arrays(pan, ms.astype(np.complex64))
    with pytest.raises(InputError, match="swapped"):
        sharpen_arrays(ms[0], np.stack([pan, pan]))
    with pytest.raises(TypeError, match="colour"):
        sharpen_arrays(pan, ms, colour="red")
    with pytest.raises(CancelledError):
        sharpen_arrays(pan, ms, progress=Progress(cancelled=lambda: True))
