"""The list of scenes: CSV files, folders of products, and what is refused in words."""

from __future__ import annotations

import os

import pytest
from helpers.landsat import landsat
from helpers.products import pair_for
from otfm_pansharpen.fleet.job import COG, PARTS, read_scenes
from otfm_pansharpen.model.errors import InputError


def listed(folder, text):
    table = folder / "pairs.csv"
    table.write_text(text, encoding="utf-8")
    return read_scenes(str(table), "/vsis3/archive/out", PARTS)[0]


def test_a_list_names_scenes_by_pan_or_as_it_says(tmp_path):
    first, second = listed(
        tmp_path, f"pan,ms,name,sensor\na/pan one.tif,{tmp_path}/ms.tif,,\n/vsis3/b/p.tif,/vsis3/b/m.tif,Rome/1,WV-2\n"
    )
    assert (first.name, first.pan, first.ms) == ("pan_one", f"{tmp_path}/a/pan one.tif", f"{tmp_path}/ms.tif")
    assert (second.name, second.sensor, second.pan) == ("Rome_1", "WV-2", "/vsis3/b/p.tif")
    assert second.output == "/vsis3/archive/out/Rome_1_sharp.json"
    assert second.name_sidecar("parts") == "/vsis3/archive/out/Rome_1_sharp.parts"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pan,xs\na,b\n", r"has the columns pan, xs. It needs pan and ms"),
        ("", "has the columns nothing"),
        ("pan,ms\n", "names no scene"),
        ("pan,ms\na.tif,\n", "Line 2 of .* names no MS"),
        ("pan,ms\na/p.tif,m.tif\nb/p.tif,n.tif\n", "Lines 2 and 3 of .* are both called p"),
        ("pan,ms\na,b,c\n", "Line 2 of .* has more values than the list has columns"),
        ("pan,ms\na,b\nc,d,e\n", "Line 3 of .* has more values than the list has columns"),
        ("pan,ms,pan\na,b,c\n", "has the columns pan, ms, pan"),
        ("pan,ms\na\0,b\n", r"Line 2 of .* control characters"),
        ("pan,ms\n\x1b[2Ja,b\n", r"Line 2 of .* control characters"),
        ("pan,ms\n" + "a" * 9000 + ",b\n", "Line 2 of .* has a value of 9000 characters"),
        ("pan,ms\n" + "a" * 200_000 + ",b\n", "is not CSV text in UTF-8"),
        ("pan,ms,sensor\na,b,../../WV\n", r"Line 2 of .* sensor \.\./\.\./WV"),
        ("pan,ms,sensor\na,b,..\n", r"Line 2 of .* sensor"),
        ("pan,ms,date\na,b,yesterday\n", r"Line 2 of .* date yesterday.*2020-07-01"),
        ("pan,ms,date\na,b,2020-13-01\n", r"Line 2 of .* date 2020-13-01"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_its_line(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        listed(tmp_path, text)


@pytest.mark.parametrize(
    "content",
    [
        b"pan;ms;name\r\na.tif;b.tif;Rom\r\n",
        "\ufeffPAN;MS;Name\r\na.tif; b.tif; Rom\r\n;;\r\n".encode(),
        "pan\tms\tname\r\na.tif\tb.tif\tRom\r\n".encode("utf-16"),
        b"sep=;\r\npan;ms;name;;\r\na.tif;b.tif;Rom;;\r\n",
        b'"pan", "ms", "name"\n"a.tif", "b.tif", "Rom"\n',
    ],
)
def test_a_list_may_be_written_by_office_programs(tmp_path, content):
    table = tmp_path / "pairs.csv"
    table.write_bytes(content)
    (scene,) = read_scenes(str(table), "out", PARTS)[0]
    assert (scene.name, scene.pan, scene.ms) == ("Rom", str(tmp_path / "a.tif"), str(tmp_path / "b.tif"))


def test_read_scenes_keeps_file_names_within_255_bytes(tmp_path):
    (scene,) = listed(tmp_path, f"pan,ms,name\na,b,{'山' * 200}\n")
    assert len(scene.name_sidecar("plan.json").rpartition("/")[2].encode()) < 200
    assert scene.name == "山" * 40


def test_read_scenes_keeps_line_numbers_of_quoted_lines(tmp_path):
    with pytest.raises(InputError, match=r"Line 4 of .* names no MS"):
        listed(tmp_path, 'name,pan,ms\n"one\u2028two",a,b\n\nthree,c,\n')


@pytest.mark.parametrize("fault", ["large", "fifo", "folder"])
def test_read_scenes_refuses_lists_that_are_not_tables(tmp_path, fault):
    path = tmp_path / "pairs.csv"
    if fault == "large":
        with path.open("wb") as file:
            file.truncate(3 * 2**30)
    elif fault == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(InputError, match=r"pairs\.csv (does not exist|has 3221225472 bytes)"):
        read_scenes(str(path), "out", COG)


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none.csv does not exist"):
        read_scenes(str(tmp_path / "none.csv"), "out", COG)


def test_folder_of_products_gives_scenes_and_reports_missing_ms(tmp_path):
    pair = pair_for(tmp_path, 7, 2)
    name = landsat(tmp_path / "archive" / "one", pair)
    (tmp_path / "archive" / "lonely_PAN.tif").write_bytes(pair.pan.read_bytes())
    scenes, none = read_scenes(str(tmp_path / "archive"), str(tmp_path), COG)
    assert [(s.name, s.sensor, s.date) for s in scenes] == [(name, "Landsat 8", "2020-07-01")]
    assert scenes[0].output == f"{tmp_path}/{name}_sharp.cog.tif"
    assert ["has no MS" in r.sentence for r in none] == [True]
