"""What a run says of the scene it was given."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.fusion import job
from helpers.scenes import Recipe, load_image, save, sense
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress


def said_by(pair, tmp_path, **changes):
    """The log of a run."""
    lines: list[str] = []
    fuse(job(pair, tmp_path / "o.tif", **changes), Progress(log=lines.append))
    return "\n".join(lines)


def test_a_shift_that_differs_within_the_scene_is_said(tmp_path):
    pair = Recipe(ratio=2.0, height=512, width=512).write(tmp_path)
    assert "differs by up to" not in said_by(pair, tmp_path)
    bent = np.concatenate(
        [load_image(pair.ms)[:, :, :128], sense(pair.sharp, 2.0, 0.3, (0.0, 2.0))[:, :, 128:]], axis=2
    )
    save(pair.ms, bent, transform=(5e5, 4, 0, 4e6, 0, -4))
    said = said_by(pair, tmp_path)
    assert "The shift differs by up to" in said
    assert "line by line" in said


def test_a_shift_at_the_end_of_the_search_is_said(tmp_path):
    assert "end of what is searched" in said_by(Recipe(shift=(4.9, 0.0)).write(tmp_path), tmp_path)


@pytest.mark.parametrize("bare", ["pan", "ms", "both"])
def test_what_is_taken_for_granted_is_said(tmp_path, bare):
    pair = Recipe().write(tmp_path)
    for name, path, pixel in (("pan", pair.pan, 2), ("ms", pair.ms, 8)):
        if bare == "both":
            save(path, load_image(path), transform=(0, 1, 0, 0, 0, 1), crs=None)
        elif bare == name:
            save(path, load_image(path), transform=(5e5, pixel, 0, 4e6, 0, -pixel), crs=None)
    words = {"both": "taken to cover the same area", "pan": "PAN names no reference", "ms": "MS names no reference"}
    assert words[bare] in said_by(pair, tmp_path)
