"""Sharpening arrays gives the pixels that sharpening files gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.fusion import run
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError, InputError
from otfm_pansharpen.model.fusion.arrays import fuse_arrays
from otfm_pansharpen.model.progress import Progress

EXACT: dict[str, Any] = {"device": "cpu", "precision": "fp32"}


def transform(path):
    return gdal.Open(str(path)).GetGeoTransform()


@pytest.mark.parametrize("type_name", ["uint8", "uint16", "float32"])
def test_arrays_give_what_files_give(tmp_path, type_name):
    pair = Recipe(dtype=type_name, scale=0.1 if type_name == "uint8" else 1.0, nodata=0).write(tmp_path)
    expected, result = run(pair, tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    fused = fuse_arrays(pan, ms, transform(pair.pan), transform(pair.ms), nodata=0, **EXACT)
    assert fused.values.dtype == ms.dtype
    assert np.array_equal(fused.values, expected)
    assert fused.transform == transform(result.output)
    assert fused.nodata == 0
    assert fused.hqnr == result.metrics.hqnr


def test_window_cut_by_a_large_shift_has_the_origin_of_the_cut(tmp_path):
    pair = Recipe(bands=6, ratio=2, height=320, width=320).write(tmp_path)
    save(pair.pan, load_image(pair.pan), transform=(5e5 + 70, 2, 0, 4e6, 0, -2))
    save(pair.ms, load_image(pair.ms)[:, :, 30:], transform=(5e5 + 120, 4, 0, 4e6, 0, -4))
    expected, result = run(pair, tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    fused = fuse_arrays(pan, ms, transform(pair.pan), transform(pair.ms), **EXACT)
    assert np.array_equal(fused.values, expected)
    assert transform(result.output)[0] == 5e5 + 70 + 2 * 60  # MS begins here, not where its georeference says
    assert fused.transform == transform(result.output)


def test_without_geotransforms_both_cover_the_same_area(tmp_path):
    pair = Recipe(ratio=2.0).write(tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    assert fuse_arrays(pan, ms, **EXACT).values.shape == (4, *pan.shape)


def test_what_cannot_be_fused_is_one_sentence(tmp_path):
    pair = Recipe().write(tmp_path)
    pan, ms = load_image(pair.pan)[0], load_image(pair.ms)
    with pytest.raises(InputError, match=r"\(bands, h, w\)"):
        fuse_arrays(pan, ms[0])
    with pytest.raises(InputError, match="complex64"):
        fuse_arrays(pan, ms.astype(np.complex64))
    with pytest.raises(InputError, match="swapped"):
        fuse_arrays(ms[0], np.stack([pan, pan]))
    with pytest.raises(TypeError, match="colour"):
        fuse_arrays(pan, ms, colour="red")
    with pytest.raises(CancelledError):
        fuse_arrays(pan, ms, progress=Progress(cancelled=lambda: True))
