"""Products that somebody else made: metadata that lie, images that are something else, names that lead elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from functools import partial

import pytest
from helpers.dimap import dimap
from helpers.landsat import landsat
from helpers.maxar import worldview
from helpers.products import named, refusal, sharpened
from helpers.scenes import load_image
from osgeo import gdal
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.product import metadata
from otfm_pansharpen.model.product.recognise import find_products
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions

RUN = """
import resource, sys
from pathlib import Path
from otfm_pansharpen.model.fusion.job import FusionOptions
from otfm_pansharpen.model.product.job import ProductJob
from otfm_pansharpen.model.product.run import sharpen_products
from otfm_pansharpen.model.progress import Progress
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
job = ProductJob(sys.argv[1], Path(sys.argv[2]), FusionOptions(device="cpu", memory=256))
sharpen_products(job, Progress(log=print))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""
VRT = """<VRTDataset rasterXSize="{w}" rasterYSize="{h}"><GeoTransform>{t}</GeoTransform>
<VRTRasterBand dataType="UInt16" band="1"><SimpleSource><SourceFilename>{name}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.fixture
def web():
    """Yield the address of a server on this machine, to which nobody may connect."""
    asked: list[object] = []
    before = gdal.GetConfigOption("GDAL_HTTP_TIMEOUT")
    gdal.SetConfigOption("GDAL_HTTP_TIMEOUT", "1")  # of whoever connects all the same
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(BlockingIOError):
            asked.append(server.accept()[1])
    gdal.SetConfigOption("GDAL_HTTP_TIMEOUT", before)
    assert asked == []


def runs_of(archive, folder):
    """Return the outcome of each product of a folder, and the log."""
    result, log = sharpened(archive, folder)
    return {r.title: r for r in result.runs}, log


def change(file, old, new):
    text = file.read_bytes()
    assert old.encode() in text
    file.write_bytes(text.replace(old.encode(), new.encode("utf-8", "surrogatepass") if isinstance(new, str) else new))


DIM_LIES = {
    "300,000,000 bands": ("<NBANDS>4<", "<NBANDS>300000000<", "has 300000000 for NBANDS"),
    "nine bands": ("<NBANDS>4<", "<NBANDS>nine<", "has nine for NBANDS, but a whole number from 1 to 64"),
    "no bands": ("<NBANDS>4<", "<NBANDS>0<", "has 0 for NBANDS"),
    "minus bands": ("<NBANDS>4<", "<NBANDS>-4<", "has -4 for NBANDS"),
    "NaN bands": ("<NBANDS>4<", "<NBANDS>nan<", "has nan for NBANDS"),
    "5,000 digits": ("<NBANDS>4<", f"<NBANDS>{'9' * 5000}<", "NBANDS has 5,000 characters"),
    "index of 5,000 digits": ("<BAND_INDEX>1<", f"<BAND_INDEX>{'9' * 5000}<", "BAND_INDEX has 5,000 characters"),
    "digits of another script": ("<BAND_INDEX>1<", "<BAND_INDEX>\u0661<", "for BAND_INDEX"),
    "nodata that is not a number": (">0</SPECIAL_VALUE_COUNT>", ">inf</SPECIAL_VALUE_COUNT>", "has inf for NODATA"),
    "NUL": ("<MISSION>PHR<", "<MISSION>P\0HR<", "is cut short or damaged"),
    "escape": ("<MISSION>PHR<", "<MISSION>P&#27;HR<", "is cut short or damaged"),
    "entity": ("<Dimap_Document>", '<!DOCTYPE d [<!ENTITY a "b">]><Dimap_Document>', "declares a document type"),
    "file as entity": (
        "<Dimap_Document>", '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Dimap_Document>',
        "declares a document type",
    ),
    "undeclared entity": ("<MISSION>PHR<", "<MISSION>&lol;<", "is cut short or damaged"),
    "deep": ("<Dimap_Document>", "<Dimap_Document>" + "<a>" * 100_000, "more than 32 in each other"),
    "many": ("<Dimap_Document>", "<Dimap_Document>" + "<a/>" * 300_000, "has more than 200,000 elements"),
    "encoding": ('encoding="UTF-8"', 'encoding="klingon"', "is cut short or damaged"),
    "title": ("<MISSION_INDEX>1A<", f"<MISSION_INDEX>{'x' * 100_000}<", "MISSION_INDEX has 100,000 characters"),
}  # fmt: skip


@pytest.mark.parametrize("lie", DIM_LIES)
def test_a_dimap_file_that_lies_costs_its_own_product_only(tmp_path, four_band_pair, lie):
    old, new, words = DIM_LIES[lie]
    dimap(tmp_path / "in" / "bad", four_band_pair)
    named(tmp_path / "in" / "good", four_band_pair, "scene_pan.tif", "scene_ms.tif")
    change(next((tmp_path / "in" / "bad").glob("*_MS/DIM*.XML")), old, new)
    runs, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert runs["good_scene"].status == "sharpened"
    assert words in log
    assert {r.status for title, r in runs.items() if title != "good_scene"} == {"no product"}


MTL_LIES = {
    "NUL": ('ORIGIN = "Image', 'ORIGIN = "Im\0age', "holds a NUL"),
    "bell in the title": ('PRODUCT_ID = "LC', 'PRODUCT_ID = "\aLC', "LANDSAT_PRODUCT_ID holds control characters"),
    "long title": ('PRODUCT_ID = "LC', f'PRODUCT_ID = "{"x" * 300}LC', "LANDSAT_PRODUCT_ID has 340 characters"),
    "long date": ("ACQUIRED = 2020", f"ACQUIRED = {'9' * 5000}", "DATE_ACQUIRED has 5,006 characters"),
    "spacecraft": ("LANDSAT_8", "nine", "names the spacecraft 'nine'"),
}


@pytest.mark.parametrize("lie", MTL_LIES)
def test_an_mtl_file_that_lies_is_not_believed(tmp_path, landsat_pair, lie):
    """The bands are taken by the names of their files; the other product is sharpened, too."""
    old, new, words = MTL_LIES[lie]
    product = landsat(tmp_path / "in", landsat_pair)
    other = landsat(tmp_path / "in", landsat_pair, 9)
    change(tmp_path / "in" / f"{product}_MTL.txt", old, new)
    runs, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert words in log
    assert runs[other].status == "sharpened"
    assert sorted(r.status for r in runs.values()) == ["no product", "sharpened", "sharpened"]


@pytest.mark.parametrize(
    "text",
    ['{"a":' * 100_000 + "1" + "}" * 100_000, '{"LANDSAT_PRODUCT_ID": "\\u0000"}', '{"SPACECRAFT_ID": "\\ud800"}',
     f'{{"WRS_ROW": {"9" * 5000}}}', '{"WRS_ROW": NaN}', "[]", "{}"],
    ids=["deep", "NUL", "surrogate", "digits", "NaN", "list", "empty"],
)  # fmt: skip
def test_mtl_files_in_json_that_lie(tmp_path, landsat_pair, text):
    product = landsat(tmp_path / "in", landsat_pair, forms=("json",))
    (tmp_path / "in" / f"{product}_MTL.json").write_text(text, encoding="utf-8")
    runs, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in runs.values()] == ["sharpened", "no product"]
    log.encode()


@pytest.mark.parametrize("form", ["txt", "xml", "json"])
def test_level_2_metadata_name_the_files_of_level_1(tmp_path, landsat_pair, form):
    """Files of level 1 are not delivered with level 2, so they are not missing."""
    landsat(tmp_path / "in" / "one", landsat_pair)
    landsat(tmp_path / "in" / "two", landsat_pair, level=2, forms=(form,))
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert [r.status for r in runs.values()] == ["sharpened"]


IMD_LIES = {
    "NUL": ("WV02", "WV\x0002", "holds a NUL"),
    "bands": (
        "BEGIN_GROUP = BAND_B\n",
        "BEGIN_GROUP = BAND_B\nEND_GROUP = BAND_B\n" * 100_000 + "BEGIN_GROUP = BAND_B\n",
        "lists 100,004 bands",
    ),
    "groups": ("BEGIN_GROUP = BAND_B\n", "BEGIN_GROUP = BAND_B\n" * 100_000, "more than 32 in each other"),
    "no bands": ("BEGIN_GROUP = BAND_", "BEGIN_GROUP = HAND_", "lists 0 bands"),
    "catalogue": ('CatId = "', f'CatId = "{"9" * 5000}', "catId has 5,020 characters"),
    "blanks": ("version = ", "\n" * 1_000_000 + " " * 1_000_000 + "version = ", ""),
}


@pytest.mark.parametrize("lie", IMD_LIES)
def test_an_imd_file_that_lies_costs_its_own_product_only(tmp_path, four_band_pair, lie):
    old, new, words = IMD_LIES[lie]
    worldview(tmp_path / "in" / "bad", four_band_pair)
    named(tmp_path / "in" / "good", four_band_pair, "scene_pan.tif", "scene_ms.tif")
    change(next((tmp_path / "in" / "bad").glob("*_MUL/*.IMD")), old, new)
    runs, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert runs["good_scene"].status == "sharpened"
    assert words in log


def test_a_list_of_a_hundred_thousand_tiles_ends(tmp_path, four_band_pair):
    worldview(tmp_path / "in", four_band_pair)
    tiles = "".join(f'filename = "{i}.TIF";\n' for i in range(100_000))
    change(next((tmp_path / "in").glob("*_MUL/*.TIL")), "END;", f"{tiles}END;")
    assert "Missing: 0.TIF, 1.TIF" in refusal(tmp_path / "in", tmp_path / "out")


@pytest.mark.slow
def test_a_huge_metadata_file_is_not_read_whole(tmp_path, landsat_pair, four_band_pair):
    """Neither by the plugin nor by GDAL, which looks for metadata next to each image."""
    product = landsat(tmp_path / "in", landsat_pair)
    size = 10**9
    with (tmp_path / "in" / f"{product}_MTL.txt").open("r+b") as file:
        file.truncate(size)
    worldview(tmp_path / "in", four_band_pair)
    for file in (tmp_path / "in").glob("*/*.IMD"):
        os.truncate(file, size)
    archive = tmp_path / "in" / "p.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed_files:
        for file in sorted((tmp_path / "in").glob("*_MUL/*.TIF")):
            packed_files.write(file, file.name)
        with packed_files.open("19APR23021253-M2AS-014493935010_01_P001.IMD", "w") as member:
            for _ in range(size // 10**7):
                member.write(b" " * 10**7)
    (tmp_path / "out").mkdir()
    arguments = [str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("has more than 8,388,608 bytes") >= 3
    assert [p.name for p in (tmp_path / "out").iterdir()] == [f"{product}_sharp.tif"]
    assert int(done.stdout.split()[-1]) < size // 3


def test_cancel_works_while_metadata_are_read(tmp_path, landsat_pair, monkeypatch):
    landsat(tmp_path / "in", landsat_pair)
    asked = []
    read = metadata.gdal.VSIFReadL

    def counted(*arguments):
        asked.append(arguments)
        return read(*arguments)

    def check():
        if asked:
            raise CancelledError

    monkeypatch.setattr(metadata.gdal, "VSIFReadL", counted)
    with gdal_exceptions(), pytest.raises(CancelledError):
        find_products(str(tmp_path / "in"), check)
    assert len(asked) == 1


def test_a_band_that_is_a_virtual_raster_is_not_read(tmp_path, landsat_pair, web):
    """Whatever it points to: a file outside, another inside, the network."""
    good = landsat(tmp_path / "in", landsat_pair, 9)
    product = landsat(tmp_path / "in", landsat_pair)
    band = tmp_path / "in" / f"{product}_B3.TIF"
    outside = tmp_path / "secret.tif"
    shutil.copy(band, outside)
    dataset = gdal.Open(str(outside))
    form = {"w": dataset.RasterXSize, "h": dataset.RasterYSize, "t": ",".join(map(str, dataset.GetGeoTransform()))}
    for name in (str(outside), str(tmp_path / "in" / f"{product}_B4.TIF"), f"/vsicurl/{web}/band.tif"):
        band.write_text(VRT.format(name=name, **form), encoding="utf-8")
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
        assert runs[good].status == "sharpened"
        assert (
            "is of the format VRT, but products are read as GeoTIFF, JPEG 2000 or NITF only" in runs[product].sentence
        )
    band.write_text(f"<GDAL_WMS><Service name='TMS'><ServerUrl>{web}/</ServerUrl></Service></GDAL_WMS>")
    shutil.rmtree(tmp_path / "out")
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert runs[product].status == "failed"


@pytest.mark.parametrize("write", [partial(named, pan="scene_pan.tif", ms="scene_ms.tif"), worldview, dimap])
def test_virtual_rasters_in_other_kinds_of_products(tmp_path, four_band_pair, web, write):
    root = tmp_path / "in"
    write(root, four_band_pair)
    band_file = next(f for f in sorted(root.rglob("*")) if re.search(r"(?i)(?:M2AS.*|_MS_.*|ms)\.tif$", f.name))
    band_file.write_text(VRT.format(w=48, h=40, t="5e5,4,0,4e6,0,-4", name=f"/vsicurl/{web}/a.tif"), encoding="utf-8")
    assert "products are read as GeoTIFF, JPEG 2000 or NITF only" in refusal(root, tmp_path / "out")


def test_files_next_to_a_band_are_not_read(tmp_path, landsat_pair, web):
    """Overviews, masks and statistics next to an image may be virtual rasters, or name any other file."""
    product = landsat(tmp_path / "in", landsat_pair)
    plain, _ = runs_of(tmp_path / "in", tmp_path / "plain")
    band = tmp_path / "in" / f"{product}_B3.TIF"
    for ending in ("ovr", "msk", "aux"):
        virtual = VRT.format(w=192, h=160, t="0,1,0,0,0,1", name=f"/vsicurl/{web}/{ending}.tif")
        band.with_name(f"{band.name}.{ending}").write_text(virtual, encoding="utf-8")
    item = f"<MDI key='OVERVIEW_FILE'>/vsicurl/{web}/aux.tif</MDI>"
    band.with_name(f"{band.name}.aux.xml").write_text(
        f"<PAMDataset><Metadata domain='OVERVIEWS'>{item}</Metadata></PAMDataset>", encoding="utf-8"
    )
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert (load_image(runs[product].output) == load_image(plain[product].output)).all()
    assert gdal.GetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN") is None


def test_an_image_that_names_its_overview_elsewhere_is_refused(tmp_path, four_band_pair, web):
    named(tmp_path / "in", four_band_pair, "scene_pan.tif", "scene_ms.tif")
    dataset = gdal.Open(str(tmp_path / "in" / "scene_ms.tif"), gdal.GA_Update)
    dataset.SetMetadata({"OVERVIEW_FILE": f"/vsicurl/{web}/overview.tif"}, "OVERVIEWS")
    dataset.FlushCache()
    del dataset
    assert "names another file as its overview" in refusal(tmp_path / "in", tmp_path / "out")


def test_a_nitf_file_that_is_a_virtual_raster_too_is_refused(tmp_path, four_band_pair):
    """GDAL takes it for a VRT as soon as a VRT names it."""
    root = tmp_path / "in"
    named(root, four_band_pair, "scene_pan.tif", "scene_ms.tif")
    dataset = gdal.Translate("", str(root / "scene_ms.tif"), format="VRT")
    gdal.GetDriverByName("NITF").CreateCopy(str(root / "scene_ms.ntf"), dataset, options=["FTITLE=<VRTDataset/>"])
    (root / "scene_ms.tif").unlink()
    for file in root.glob("*.aux.xml"):
        file.unlink()
    assert "is of the format VRT" in refusal(root, tmp_path / "out")


@pytest.mark.parametrize("sidecar", ["scene_ms.RPB", "scene_ms.tfw", "scene_ms_rpc.txt"])
def test_image_placed_by_a_sidecar_is_refused(tmp_path, four_band_pair, sidecar):
    root = tmp_path / "in"
    named(root, four_band_pair, "scene_pan.tif", "scene_ms.tif")
    gdal.Translate(str(root / "plain.tif"), str(root / "scene_ms.tif"), creationOptions=["PROFILE=BASELINE"])
    (root / "plain.tif").replace(root / "scene_ms.tif")
    (root / "plain.tif.aux.xml").unlink(missing_ok=True)
    (root / sidecar).write_text("4.0\n0.0\n0.0\n-4.0\n500002\n3999998\n")
    assert f"{root / 'scene_ms.tif'} is placed by {sidecar} only" in refusal(root, tmp_path / "out")


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    band = tmp_path / "in" / f"{product}_B3.TIF"
    band.rename(tmp_path / band.name)
    band.symlink_to(tmp_path / band.name)
    sentence = refusal(tmp_path / "in", tmp_path / "out")
    assert f"Missing: {band.name}" in sentence
    band.unlink()
    (tmp_path / "in" / "more").mkdir()
    (tmp_path / band.name).rename(tmp_path / "in" / "more" / band.name)
    band.symlink_to(f"more/{band.name}")
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert runs[product].status == "sharpened"


def test_links_that_lead_out_are_named(tmp_path, landsat_pair):
    landsat(tmp_path / "in", landsat_pair)
    (tmp_path / "in" / "more.tar").symlink_to(tmp_path / "elsewhere.tar")
    (tmp_path / "elsewhere.tar").write_bytes(b"")
    _, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert "lead out of it and are not followed: more.tar" in log


@pytest.mark.parametrize("name", ["../{0}", "{1}", "/vsicurl/http://127.0.0.1:9/{0}", "a\\..\\..\\{0}", "./../{0}"])
def test_names_in_metadata_lead_nowhere_else(tmp_path, four_band_pair, name):
    for make, pattern in ((worldview, "*_MUL/*.TIL"), (dimap, "*_MS/DIM*.XML")):
        root = tmp_path / make.__name__
        make(root / "in", four_band_pair, across=1)
        file = next((root / "in").glob(pattern))
        band_file = next(f for f in file.parent.glob("*.TIF"))
        band_file.rename(root / band_file.name)
        change(file, band_file.name, name.format(band_file.name, root / band_file.name))
        assert "Missing: " in refusal(root / "in", root / "out")


def test_pipes_in_a_folder_are_left_alone(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    for name in ("X_MTL.txt", "DIM_X.XML", "X_pan.tif", "X.zip", "X.IMD"):
        os.mkfifo(tmp_path / "in" / name)
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert [(r.title, r.status) for r in runs.values()] == [(product, "sharpened")]


def test_a_result_that_is_a_virtual_raster_is_made_again(tmp_path, landsat_pair, web):
    """A file under the name of a result is opened as a GeoTIFF only."""
    product = landsat(tmp_path / "in", landsat_pair)
    (tmp_path / "out").mkdir()
    planted = tmp_path / "out" / f"{product}_sharp.tif"
    planted.write_text(f"<GDAL_WMS><Service name='TiledWMS'><ServerUrl>{web}/</ServerUrl></Service></GDAL_WMS>")
    runs, _ = runs_of(tmp_path / "in", tmp_path / "out")
    assert runs[product].status == "sharpened"


def test_texts_of_metadata_reach_no_log_as_control_characters(tmp_path, landsat_pair):
    """A title of a million characters, or one that clears a terminal, would spoil every line after it."""
    product = landsat(tmp_path / "in", landsat_pair, forms=("json",))
    file = tmp_path / "in" / f"{product}_MTL.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    tree["LANDSAT_METADATA_FILE"]["PRODUCT_CONTENTS"]["LANDSAT_PRODUCT_ID"] = "\x1b[2J" + product
    file.write_text(json.dumps(tree), encoding="utf-8")
    _, log = runs_of(tmp_path / "in", tmp_path / "out")
    assert "LANDSAT_PRODUCT_ID holds control characters" in log
    assert "\x1b" not in log
