"""Products of every kind that is known give the pixels of their PAN and MS as plain rasters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.dimap import dimap
from helpers.fusion import run as fuse_pair
from helpers.landsat import ali, landsat
from helpers.maxar import worldview
from helpers.products import band_names, named, packed, pair_for, sharpened
from helpers.scenes import landscape, load_image, save, sense
from osgeo import gdal

OLI = ["coastal", "blue", "green", "red", "nir", "swir1", "swir2"]
ETM = ["blue", "green", "red", "nir", "swir1", "swir2"]
FOUR = ["blue", "green", "red", "nir"]
EIGHT = ["coastal", "blue", "green", "yellow", "red", "red edge", "nir", "nir2"]
THREE = ["band 1", "band 2", "band 3"]
ALI = ["coastal", "blue", "green", "red", "nir", "nir2", "swir", "swir1", "swir2"]
AIRBUS = ["red", "green", "blue", "nir"]
NEO = ["red", "green", "blue", "nir", "red edge", "deep blue"]


def converted(folder, pair, ending, driver, options):
    """Convert PAN and MS to another format, without what GDAL writes next to them."""
    folder.mkdir(parents=True)
    for name, source in (("pan", pair.pan), ("ms", pair.ms)):
        target = str(folder / f"scene_{name}.{ending}")
        gdal.GetDriverByName(driver).CreateCopy(target, gdal.Open(str(source)), options=options)
        Path(f"{target}.aux.xml").unlink(missing_ok=True)


PRODUCTS = {
    "Landsat 7, collection 1": (lambda f, p: landsat(f, p, 7, 1), 2, ETM),
    "Landsat 8, collection 1": (lambda f, p: landsat(f, p, 8, 1), 2, OLI),
    "Landsat 8, collection 2, XML": (lambda f, p: landsat(f, p, 8, forms=("xml",)), 2, OLI),
    "Landsat 9, JSON": (lambda f, p: landsat(f, p, 9, forms=("json",)), 2, OLI),
    "Landsat 9, all forms, small letters": (
        lambda f, p: landsat(f, p, 9, forms=("txt", "xml", "json"), capitals=False), 2, OLI,
    ),
    "Landsat 8 without MTL": (lambda f, p: [landsat(f, p, 8, forms=())], 2, OLI),
    "EO-1 ALI": (ali, 3, ALI),
    "WorldView-2": (worldview, 4, EIGHT),
    "GeoEye-1, one tile": (lambda f, p: worldview(f, p, across=1, satellite="GE01"), 4, FOUR),
    "WorldView-3, tiles that overlap": (lambda f, p: worldview(f, p, overlap=5, satellite="WV03"), 4, EIGHT),
    "Pleiades": (dimap, 4, AIRBUS),
    "Pleiades without list of indices": (lambda f, p: dimap(f, p, with_indices=False), 4, AIRBUS),
    "Pleiades, tiles that overlap": (lambda f, p: dimap(f, p, overlap=4), 4, AIRBUS),
    "SPOT 6": (lambda f, p: dimap(f, p, "SPOT", "6", across=1), 4, AIRBUS),
    "Pleiades Neo, tiles that overlap": (lambda f, p: dimap(f, p, "PNEO", "3", overlap=4), 4, NEO),
    "Pleiades Neo": (lambda f, p: dimap(f, p, "PNEO", "3"), 4, NEO),
    "KOMPSAT-3": (
        lambda f, p: [
            named(f, p, "K3_20130430042131_05025_18531170_L1G_P.tif", "K3_20130430042131_05025_18531170_L1G_{}.tif"),
            *((f / f"K3_20130430042131_05025_18531170_L1G_{n}.tif").rename(
                f / f"K3_20130430042131_05025_18531170_L1G_{t}.tif") for n, t in enumerate("BGRN", start=1)),
        ], 4, FOUR,
    ),
    "KOMPSAT-2": (
        lambda f, p: named(f, p, "MSC_060914191323_00700_0233PN13_1G.tif", "MSC_060914191323_00700_0233M{}N13_1G.tif"),
        4, FOUR,
    ),
    "CBERS-4A": (
        lambda f, p: named(f, p, "CBERS_4A_WPM_20200411_2_1_L4_BAND0.tif", "CBERS_4A_WPM_20200411_2_1_L4_BAND{}.tif"),
        4, FOUR,
    ),
    "GaoFen-2": (
        lambda f, p: named(f, p, "GF2_PMS1_E113.5_N23.0_20151219_L1A0001293546-PAN1.tiff",
                           "GF2_PMS1_E113.5_N23.0_20151219_L1A0001293546-MSS1.tiff"), 4, FOUR,
    ),
    "names with PAN and MS": (lambda f, p: named(f, p, "scene_pan.tif", "scene_ms.tif"), 4, THREE),
    "folders PAN and MUL": (lambda f, p: named(f, p, "PAN/a 1.TIF", "mul/a 1.TIF"), 4, THREE),
    "names with PAN and MS, JPEG 2000": (
        lambda f, p: converted(f, p, "jp2", "JP2OpenJPEG", ["QUALITY=100", "REVERSIBLE=YES", "YCBCR420=NO"]), 4, THREE,
    ),
    "names with PAN and MS, NITF": (lambda f, p: converted(f, p, "ntf", "NITF", ["ICORDS=N"]), 4, THREE),
    "names with colours": (
        lambda f, p: [
            named(f, p, "po_37836_pan_0000000.tif", "po_37836_{}_0000000.tif"),
            *((f / f"po_37836_{n}_0000000.tif").rename(f / f"po_37836_{t}_0000000.tif")
              for n, t in enumerate(("blu", "grn", "red", "nir"), start=1)),
        ], 4, FOUR,
    ),
    "numbers, PAN by its pixels": (lambda f, p: named(f, p, "x_B9.tif", "x_B{}.tif"), 2, THREE),
}  # fmt: skip


@pytest.mark.parametrize("product_name", PRODUCTS)
def test_every_kind_gives_the_pixels_of_its_pair(tmp_path, product_name):
    make, ratio, names = PRODUCTS[product_name]
    pair = pair_for(tmp_path / "pair", len(names), ratio)
    product = tmp_path / "Über alles 1" / "product"
    make(product, pair)
    for pixels in [*product.rglob("*.[tT][iI][fF]*")]:  # makers put descriptions next to images
        pixels.with_suffix(".xml").write_text("<ProductMetaData><ImageName>made up</ImageName></ProductMetaData>")
        pixels.with_name(f"{pixels.stem}_thumb.jpg").write_bytes(b"")
    plain, _ = fuse_pair(pair, tmp_path)
    result, log = sharpened(product, tmp_path / "out")
    assert [r.status for r in result.runs] == ["sharpened"], log
    output = result.runs[0].output
    np.testing.assert_array_equal(load_image(output), plain)
    assert band_names(output) == names
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [output.rsplit("/", 1)[1]]


@pytest.mark.parametrize("name", ["LC08.tar", "LC08.tar.gz", "LC08.tgz", "LC08.ZIP"])
def test_archives_are_read_as_they_are(tmp_path, name):
    pair = pair_for(tmp_path / "pair", 7, 2)
    landsat(tmp_path / "product", pair)
    (tmp_path / "down loads").mkdir()
    archive = packed(tmp_path / "product", tmp_path / "down loads" / name.lower()).rename(
        tmp_path / "down loads" / name
    )
    shutil.rmtree(tmp_path / "product")
    plain, _ = fuse_pair(pair, tmp_path)
    result, _ = sharpened(archive, tmp_path / "out")
    np.testing.assert_array_equal(load_image(result.runs[0].output), plain)
    assert [p.name for p in (tmp_path / "down loads").iterdir()] == [name]


def mixed(folder, files):
    """Write bands of one scene of 12 m: name of the file to ratio of its pixels, and bands in it."""
    folder.mkdir(parents=True)
    sharp = landscape(3, 288, 288)
    for number, (name, (ratio, bands)) in enumerate(files.items()):
        image = np.stack([np.roll(sharp[(number + b) % 3], number + b, 0) for b in range(bands)])
        pixels = image if ratio == 1 else sense(image, ratio)
        save(folder / name, pixels, "uint16", (5e5, 12.0 * ratio, 0, 4e6, 0, -12.0 * ratio))


WITHOUT_PAN = {
    "ASTER, one file per band": (
        {f"AST_L1T_00307222006165532_20150513184331_ImageData{n}.tif": (1 if n in ("1", "2", "3N") else 2, 1)
         for n in ("1", "2", "3N", *"456789")},
        ["green", "red", "nir", *(f"swir {n}" for n in range(4, 10))],
    ),
    "ASTER, swaths and thermal": (
        {f"AST_L1T_003_{swath}_Swath_ImageData{n}.tif": (ratio, 1)
         for swath, ratio, numbers in (("VNIR", 1, ("1", "2", "3N")), ("TIR", 6, ("10", "13"))) for n in numbers},
        ["green", "red", "nir", "tir 10", "tir 13"],
    ),
    "ASTER, one file per telescope": (
        {"AST_L1T_003_VNIR.tif": (1, 3), "AST_L1T_003_SWIR.tif": (2, 6)},
        ["green", "red", "nir", *(f"swir {n}" for n in range(4, 10))],
    ),
    "numbers and pixel sizes": (
        {"x_B02_10m.tif": (1, 1), "x_B03_10m.tif": (1, 1), "x_B05_20m.tif": (2, 1), "x_B07_20m.tif": (2, 1),
         "x_B03_20m.tif": (2, 1)},
        ["band 2", "band 3", "band 5", "band 7"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WITHOUT_PAN)
def test_products_without_pan_are_guided_by_finest(tmp_path, kind):
    files, names = WITHOUT_PAN[kind]
    mixed(tmp_path / "in", files)
    result, log = sharpened(tmp_path / "in", tmp_path / "out")
    assert [(r.status, r.sentence) for r in result.runs] == [("sharpened", "")], log
    assert band_names(result.runs[0].output) == names
    image = load_image(result.runs[0].output)
    guides = [name for name, (ratio, _) in files.items() if ratio == 1]
    np.testing.assert_array_equal(image[0], load_image(tmp_path / "in" / guides[0])[0])
    assert image.shape[1:] == (288, 288)
