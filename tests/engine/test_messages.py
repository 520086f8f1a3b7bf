"""Jobs and results as lines of JSON, and back unchanged."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from otfm_pansharpen.engine.messages import CODEC, FROM_ENGINE, TO_ENGINE, from_line, to_line
from otfm_pansharpen.model.codec import has_type
from otfm_pansharpen.model.finetuning.job import FinetuneJob, TuningPair
from otfm_pansharpen.model.fusion.job import FusionJob, FusionOptions
from otfm_pansharpen.model.fusion.plan import PLAN_CLASSES
from otfm_pansharpen.model.notices import Notice
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
    SOURCE, replace(SOURCE, bands=()), Path("C:\\out put\\ö.tif"), extent=(1.5, 2.0, 3.0, 1e300),
    options=FusionOptions(gain=0.3, creation_options=("COMPRESS=DEFLATE",)),
)  # fmt: skip
TUNING = FinetuneJob((TuningPair(SOURCE, SOURCE, None), TuningPair(SOURCE, SOURCE, (0.0, 1.0, 2.0, 3.0))), Path("o"))


@pytest.mark.parametrize("job", [FUSION, TUNING])
def test_a_job_comes_back_as_it_was(job):
    assert from_line(to_line({"job": job}), TO_ENGINE) == {"job": job}


def test_a_name_that_is_not_text_comes_back_unchanged():
    odd = Path(b"not utf-8 \xff.tif".decode("utf-8", "surrogateescape"))
    assert from_line(to_line({"job": replace(FUSION, output=odd)}), TO_ENGINE)["job"].output == odd


def test_numbers_of_numpy_become_plain_ones():
    numbers: dict[str, Any] = {"share": np.float32(0.5), "bands": np.int64(3)}
    notice = Notice("gap", "A gap.", numbers)
    assert from_line(to_line({"notice": notice}), FROM_ENGINE)["notice"].numbers == {"share": 0.5, "bands": 3}


def test_a_message_is_one_line_whatever_is_in_it():
    assert to_line({"log": "two\nlines"}).count(b"\n") == 1


CLASSES = list(dict.fromkeys((*CODEC.classes.values(), *PLAN_CLASSES)))


@pytest.mark.parametrize("each", CLASSES, ids=lambda each: each.__name__)
def test_annotations_of_messages_and_plans_are_known(each):
    for field in fields(each):
        assert not has_type(object(), str(field.type), each.__module__)


FUSED = CODEC.to_json(FUSION)
NOTICE = '{"is": "Notice", "code": "a", "sentence": "b", "numbers": {}}'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1, 2]", "not a message"),
        ("{}", "not a message"),
        ('{"share": "half"}', "not a message"),
        ('{"share": 0.5, "log": "x"}', "not a message"),
        ('{"error": "x"}', "not a message"),
        ('{"ready": {"torch": 1}}', "not a message"),
        ('{"notice": {"is": "Path", "path": "x"}}', "not a message"),
        ('{"result": ' + NOTICE + "}", "not a message"),
        ("Segmentation fault", "not JSON"),
        ('{"log": "hal', "not JSON"),
        ('{"log": ' + "9" * 5000 + "}", "not JSON"),
        ("[" * 100_000, "not JSON .*nested more than"),
        ('{"log": ' + '{"a": ' * 600 + "1" + "}" * 601, "nested more than"),
        ('{"notice": {"is": "Nobody"}}', "unknown class Nobody"),
        ('{"job": ' + FUSED.replace("1e+300", '"far"') + "}", "FusionJob whose extent is"),
        ('{"notice": {"is": ["Notice"]}}', "unknown class"),
        ('{"notice": {"is": "Path", "path": 5}}', "unknown class Path"),
        ('{"notice": {"is": "Notice", "code": "a"}}', "Notice whose sentence is absent"),
        (NOTICE.join(('{"notice": ', "}")).replace('"b"', "5"), "Notice whose sentence is 5"),
        (NOTICE.join(('{"notice": ', "}")).replace("{}}", '{}, "more": 1}'), "Notice with other fields"),
    ],
)
def test_what_is_not_a_message_is_refused(line, words):
    with pytest.raises(ValueError, match=words):
        from_line(line.encode(), FROM_ENGINE)


def test_bytes_that_are_not_text_are_refused():
    with pytest.raises(ValueError, match="not JSON"):
        from_line(b'{"log": "\xff"}\n', FROM_ENGINE)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[1.5, 2.0, 3.0, 1e+300]", "[1.5, 2.0, 3.0]", "FusionJob whose extent is"),
        ('"steps": 1,', '"steps": 1.5,', "FusionOptions whose steps is 1.5"),
    ],
)
def test_from_line_refuses_values_of_another_form(before, after, words):
    assert FUSED.count(before) == 1
    with pytest.raises(ValueError, match=words):
        from_line(f'{{"job": {FUSED.replace(before, after)}}}'.encode(), TO_ENGINE)


def test_brackets_within_a_text_are_not_nesting():
    line = "[" * 1000 + '\\"{' * 1000
    assert from_line(to_line({"log": line}), FROM_ENGINE) == {"log": line}
