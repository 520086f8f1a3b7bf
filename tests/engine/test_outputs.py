"""Messages about files say what happened."""

from __future__ import annotations

import pytest
from helpers.engine import engines
from helpers.fusion import job
from helpers.scenes import Recipe
from otfm_pansharpen.engine.client import describe_written, read_states
from otfm_pansharpen.engine.connection import Engine
from otfm_pansharpen.model.errors import CancelledError, EngineError
from otfm_pansharpen.model.product.job import ProductJob
from otfm_pansharpen.model.progress import Progress


def test_describe_written_names_what_has_changed(tmp_path):
    one = job(Recipe(bands=1).write(tmp_path), tmp_path / "o.tif")
    assert describe_written(one, read_states(one)) == "No file was written."
    (tmp_path / "o.tif").write_bytes(b"old")
    before = read_states(one)
    assert describe_written(one, before) == "No file was written."
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(tmp_path / "o.tif")
    assert describe_written(one, before) == f"Complete and in place: {tmp_path / 'o.tif'}."


def test_describe_written_of_a_folder_names_a_few(tmp_path):
    batch = ProductJob(str(tmp_path), tmp_path)
    for number in range(7):
        (tmp_path / f"{number}_sharp.tif").write_bytes(b"x")
    (tmp_path / ".hidden.part").mkdir()
    sentence = describe_written(batch, {})
    assert sentence.endswith("4_sharp.tif and 2 more.")
    assert "hidden" not in sentence


@pytest.mark.promise(27)
@pytest.mark.parametrize(("error", "words"), [(EngineError("It died."), "It died. "), (CancelledError(), "Cancelled")])
def test_error_after_the_output_is_in_place_says_so(nothing, tmp_path, monkeypatch, error, words):
    """The engine dies, or is ended, between the delivery of the output and its result."""
    pair = Recipe(bands=1).write(tmp_path)
    real = Engine.run

    def fail_at_the_end(self, one, progress):
        real(self, one, progress)
        if one.output.name == "out.tif":
            raise error

    monkeypatch.setattr(Engine, "run", fail_at_the_end)
    fusion_job = job(pair, tmp_path / "out.tif")
    with engines() as session:
        with pytest.raises(type(error)) as caught:
            session.run(fusion_job, nothing, Progress())
        assert str(caught.value).startswith(words)
        assert str(caught.value).endswith(f"Complete and in place: {tmp_path / 'out.tif'}.")
        with pytest.raises(EngineError, match=r"No file was written\.$"):
            session.run(job(pair, tmp_path / "other.tif", steps="many"), nothing, Progress())
