"""Rasters that lie, loop, break off or claim to be enormous: one sentence that names them, and no file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.fusion import job, temporaries
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal
from otfm_pansharpen.model.errors import InputError, OutputError, PansharpenError
from otfm_pansharpen.model.fusion.pipeline import fuse
from otfm_pansharpen.model.progress import Progress
from otfm_pansharpen.model.raster.source import RasterSource

VRT = """<VRTDataset rasterXSize="{width}" rasterYSize="{height}">
<GeoTransform>{transform}</GeoTransform>
<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename relativeToVRT="1">{source}</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>
<DstRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>
</SimpleSource></VRTRasterBand></VRTDataset>"""
MS_TRANSFORM = "500000, 8, 0, 4000000, 0, -8"


def refused(pair, folder, words, error=PansharpenError, **changes):
    with pytest.raises(error) as caught:
        fuse(job(pair, folder / "out.tif", **changes))
    assert all(word in str(caught.value) for word in words), caught.value
    assert not (folder / "out.tif").exists()
    assert temporaries(folder) == []


def vrt(path, source, width=60, height=48, transform=MS_TRANSFORM):
    path.write_text(VRT.format(width=width, height=height, transform=transform, source=source))
    return path


def test_a_vrt_that_names_itself(tmp_path):
    pair = Recipe().write(tmp_path)
    pair.ms = vrt(tmp_path / "loop.vrt", "loop.vrt")
    refused(pair, tmp_path, ["loop.vrt"], InputError)


def test_vrts_that_name_each_other(tmp_path):
    pair = Recipe().write(tmp_path)
    pair.ms = vrt(tmp_path / "one.vrt", "two.vrt")
    vrt(tmp_path / "two.vrt", "one.vrt")
    refused(pair, tmp_path, ["one.vrt"], InputError)


def test_a_vrt_of_a_file_that_is_gone(tmp_path):
    pair = Recipe().write(tmp_path)
    pair.ms = vrt(tmp_path / "gone.vrt", "no-such-file.tif")
    refused(pair, tmp_path, ["gone.vrt"], InputError)


def test_a_vrt_of_other_files_is_fine(tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    fuse(job(pair, tmp_path / "plain.tif"))
    pair.ms = vrt(tmp_path / "fine.vrt", "ms.tif")
    fuse(job(pair, tmp_path / "out.tif"))
    assert np.array_equal(load_image(tmp_path / "plain.tif"), load_image(tmp_path / "out.tif"))


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    "numbers", ["nan, 8, 0, 4000000, 0, -8", "500000, 0, 0, 4000000, 0, 0", "1e300, 8, 0, 0, 0, -8"]
)
def test_geotransforms_that_make_no_sense(tmp_path, numbers):
    pair = Recipe(bands=1).write(tmp_path)
    pair.ms = vrt(tmp_path / "odd.vrt", "ms.tif", transform=numbers)
    refused(pair, tmp_path, [], InputError)


def sparse(path, side, bands, pixel):
    dataset = gdal.GetDriverByName("GTiff").Create(
        str(path), side, side, bands, gdal.GDT_UInt16, ["SPARSE_OK=YES", "TILED=YES", "BIGTIFF=YES"]
    )
    dataset.SetGeoTransform((5e5, pixel, 0, 4e6, 0, -pixel))
    return dataset


def test_a_part_of_rasters_of_a_thousand_million_pixels(tmp_path):
    """Files of 3.6 thousand million pixels that hold data in one corner only."""
    pair = Recipe(height=512, width=512).write(tmp_path)
    for path, side, pixel in ((pair.pan, 60_000, 2.0), (pair.ms, 15_000, 8.0)):
        values = load_image(path)
        large = sparse(tmp_path / f"large_{path.name}", side, len(values), pixel)
        for row in range(0, side, side // 8):  # so that the sample of the whole scene holds something
            for column in range(0, side, side // 8):
                large.WriteArray(values[:, : side - row, : side - column], column, row)
        large = None
    pair.pan, pair.ms = (tmp_path / f"large_{p.name}" for p in (pair.pan, pair.ms))
    corner = (5e5, 4e6 - 1024, 5e5 + 1024, 4e6)
    fuse(job(pair, tmp_path / "out.tif", extent=corner))
    values = load_image(tmp_path / "out.tif")
    assert values.shape == (4, 512, 512)
    assert np.corrcoef(values.ravel(), pair.reference.ravel())[0, 1] > 0.98


@pytest.mark.promise(11)
def test_output_larger_than_the_disk_is_refused_with_the_numbers(tmp_path):
    pair = Recipe(bands=1).write(tmp_path)
    pair.pan = vrt(tmp_path / "pan.vrt", "pan.tif", 2**21, 2**21, MS_TRANSFORM.replace("8", "2"))
    pair.ms = vrt(tmp_path / "ms.vrt", "ms.tif", 2**19, 2**19)
    refused(pair, tmp_path, ["8.8 TB", "free"], OutputError)


@pytest.mark.promise(12)
def test_damaged_tiles_name_the_file(tmp_path):
    pair = Recipe(height=320, width=320).write(tmp_path)
    gdal.Translate(str(tmp_path / "packed.tif"), str(pair.ms), creationOptions=["COMPRESS=DEFLATE"])
    data = bytearray((tmp_path / "packed.tif").read_bytes())
    packed = gdal.Open(str(tmp_path / "packed.tif"))
    start = int(packed.GetRasterBand(1).GetMetadataItem("BLOCK_OFFSET_0_1", "TIFF"))
    data[start : start + 400] = b"\xff" * 400
    pair.ms = tmp_path / "bad.tif"
    pair.ms.write_bytes(data)
    refused(pair, tmp_path, ["bad.tif", "damaged"], InputError)


@pytest.mark.promise(12)
def test_a_header_that_claims_blocks_of_gigabytes(tmp_path):
    """The tile size of a small tiled file is overwritten: reading it would fill the memory."""
    pair = Recipe(bands=1).write(tmp_path)
    gdal.Translate(str(tmp_path / "tiled.tif"), str(pair.ms), creationOptions=["TILED=YES"])
    data = bytearray((tmp_path / "tiled.tif").read_bytes())
    first = int.from_bytes(data[4:8], "little")
    for entry in range(int.from_bytes(data[first : first + 2], "little")):
        at = first + 2 + 12 * entry
        if int.from_bytes(data[at : at + 2], "little") in (322, 323):  # tile width and height
            data[at + 2 : at + 12] = (
                (4).to_bytes(2, "little") + (1).to_bytes(4, "little") + (2**16).to_bytes(4, "little")
            )
    pair.ms = tmp_path / "huge.tif"
    pair.ms.write_bytes(data)
    refused(pair, tmp_path, ["huge.tif", "65536 x 65536", "TILED=YES"], InputError)


@pytest.mark.promise(12)
@pytest.mark.parametrize("name", ["pan.tif", "ms.tif"])
def test_inputs_that_are_cut_off_during_the_run(tmp_path, name):
    pair = Recipe(height=640, width=640).write(tmp_path)

    def cut(share: float) -> None:
        if 0.2 < share < 0.9:
            os.truncate(tmp_path / name, 2000)

    before = gdal.GetCacheMax()
    gdal.SetCacheMax(2**16)
    try:
        with pytest.raises(InputError, match=name):
            fuse(job(pair, tmp_path / "out.tif", tile=64), Progress(report=cut))
    finally:
        gdal.SetCacheMax(before)
    assert not (tmp_path / "out.tif").exists()
    assert temporaries(tmp_path) == []


@pytest.mark.promise(2)
@pytest.mark.parametrize("role", ["pan", "ms"])
def test_rpcs_alone_are_refused_with_the_cure(tmp_path, role):
    pair = Recipe().write(tmp_path)
    for path in (pair.pan, pair.ms):
        save(path, load_image(path), transform=(0, 1, 0, 0, 0, 1), crs=None)
    bare = getattr(pair, role)
    gdal.Translate(str(tmp_path / "rpc.vrt"), str(bare), format="VRT", rgbExpand=None)
    terms = " ".join(["1"] + ["0"] * 19)
    rpc = {f"{n}_{k}": "1" for n in ("LINE", "SAMP", "LAT", "LONG", "HEIGHT") for k in ("OFF", "SCALE")}
    rpc |= {f"{n}_{k}_COEFF": terms for n in ("LINE", "SAMP") for k in ("NUM", "DEN")}
    dataset = gdal.Open(str(tmp_path / "rpc.vrt"), gdal.GA_Update)
    dataset.SetMetadata(rpc, "RPC")
    dataset = None
    setattr(pair, role, tmp_path / "rpc.vrt")
    refused(pair, tmp_path, ["rpc.vrt", "RPC", "warpreproject"], InputError)


def test_ground_control_points_alone_are_refused_with_the_cure(tmp_path):
    pair = Recipe().write(tmp_path)
    gdal.Translate(
        str(tmp_path / "gcp.tif"), str(pair.ms), outputSRS="EPSG:32633",
        GCPs=[gdal.GCP(5e5, 4e6, 0, 0, 0), gdal.GCP(5e5 + 480, 4e6, 0, 60, 0), gdal.GCP(5e5, 4e6 - 384, 0, 0, 48)],
    )  # fmt: skip
    pair.ms = tmp_path / "gcp.tif"
    refused(pair, tmp_path, ["gcp.tif", "ground control points", "warpreproject"], InputError)


def test_complex_numbers_and_folders_are_refused(tmp_path):
    pair = Recipe().write(tmp_path)
    gdal.Translate(str(tmp_path / "complex.tif"), str(pair.ms), outputType=gdal.GDT_CFloat32)
    ms = RasterSource(str(tmp_path / "complex.tif"))
    with pytest.raises(InputError, match=r"complex\.tif has bands of type CFloat32.*-ot Float32"):
        fuse(replace(job(pair, tmp_path / "out.tif"), ms=ms))
    real = gdal.Translate(str(tmp_path / "real.tif"), str(tmp_path / "complex.tif"), outputType=gdal.GDT_Float32)
    del real
    fuse(replace(job(pair, tmp_path / "real out.tif"), ms=RasterSource(str(tmp_path / "real.tif"))))
    with pytest.raises(InputError, match="cannot be opened"):
        fuse(replace(job(pair, tmp_path / "out.tif"), ms=RasterSource(str(Path(tmp_path)))))


@pytest.mark.promise(12)
@pytest.mark.parametrize("behind_vrt", [False, True])
def test_a_raw_file_cut_in_half_is_named_with_its_sizes(tmp_path, behind_vrt):
    """GDAL reads what is missing as zeros, without a word."""
    pair = Recipe().write(tmp_path)
    raw = tmp_path / "ms.dat"
    gdal.Translate(str(raw), str(pair.ms), format="ENVI")
    os.truncate(raw, raw.stat().st_size // 2)
    pair.ms = raw
    if behind_vrt:
        gdal.BuildVRT(str(tmp_path / "inner.vrt"), [str(raw)]).FlushCache()
        gdal.BuildVRT(str(tmp_path / "outer.vrt"), [str(tmp_path / "inner.vrt")]).FlushCache()
        pair.ms = tmp_path / "outer.vrt"
    refused(pair, tmp_path, ["ms.dat", "cut short", "11,520", "23,040"])


def as_file(pair, name, driver, options=(), type_number=gdal.GDT_UInt16):
    """MS in another format; the datasets are closed, and so written."""
    path = pair.ms.with_name(name)
    gdal.Translate(str(path), str(pair.ms), format=driver, creationOptions=list(options), outputType=type_number)
    return path


def as_raw_vrt(pair):
    """A VRT that describes the bytes of a file."""
    raw = pair.ms.with_name("ms.raw")
    raw.write_bytes(b"head" + load_image(pair.ms).tobytes())
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{b}" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativetoVRT="1">ms.raw</SourceFilename><ImageOffset>{4 + 2 * 2880 * (b - 1)}</ImageOffset>'
        "<PixelOffset>2</PixelOffset><LineOffset>120</LineOffset><ByteOrder>LSB</ByteOrder></VRTRasterBand>"
        for b in (1, 2, 3, 4)
    )
    path = pair.ms.with_name("raw.vrt")
    path.write_text(
        f'<VRTDataset rasterXSize="60" rasterYSize="48"><GeoTransform>{MS_TRANSFORM}</GeoTransform>{bands}</VRTDataset>'
    )
    return path


def as_bil(pair):
    """MS as BIL of 4 bits, with its reference system in a file of its own."""
    path = pair.ms.with_name("ms.bil")
    options = gdal.TranslateOptions(
        format="EHdr", bandList=[1], outputType=gdal.GDT_Byte, scaleParams=[[0, 4000, 0, 15]],
        creationOptions=["NBITS=4"],
    )  # fmt: skip
    gdal.Translate(str(path), str(pair.ms), options=options)
    return path


def as_nlaps(pair):
    """One band as Landsat until 2008: a header of text, and one file per band."""
    path = pair.ms.with_name("ms.h1")
    band = load_image(pair.ms)[0].clip(0, 2550) // 10
    path.with_suffix(".i1").write_bytes(band.astype("uint8").tobytes())
    corners = {"UPPER_LEFT": (0, 0), "UPPER_RIGHT": (472, 0), "LOWER_RIGHT": (472, 376), "LOWER_LEFT": (0, 376)}
    entries = {
        "NDF_REVISION": "2.00", "DATA_SET_TYPE": "EDC_TM", "PRODUCT_NUMBER": "0110000000_0001", "PIXEL_FORMAT": "BYTE",
        "PIXEL_ORDER": "NOT_INVERTED", "BITS_PER_PIXEL": "8", "PIXELS_PER_LINE": "60", "LINES_PER_DATA_FILE": "48",
        "DATA_ORIENTATION": "UPPER_LEFT/RIGHT", "NUMBER_OF_DATA_FILES": "1", "DATA_FILE_INTERLEAVING": "BSQ",
        "NUMBER_OF_BANDS_IN_VOLUME": "1", "BAND1_NUMBER": "8", "BAND1_NAME": "PAN", "BAND1_FILENAME": "ms.i1",
        "MAP_PROJECTION_NAME": "UTM", "USGS_PROJECTION_NUMBER": "1", "USGS_MAP_ZONE": "33", "HORIZONTAL_DATUM": "WGS84",
        **{f"{name}_CORNER": f"0150000E,360000N,{5e5 + 4 + x},{4e6 - 4 - y}" for name, (x, y) in corners.items()},
    }  # fmt: skip
    path.write_text("".join(f"{key}={value};\n" for key, value in entries.items()) + "END_OF_HDR;\n")
    return path


ONE_BAND = ("PCRaster", "BT", "GeoPackage", "BIL of 4 bits", "NLAPS")
CUT = {
    "PCRaster": ("ms.map", lambda p: as_file(p, "ms.map", "PCRaster", ["PCRASTER_VALUESCALE=VS_SCALAR"], 6), 200),
    "BT": ("ms.bt", lambda p: as_file(p, "ms.bt", "BT", type_number=gdal.GDT_Int16), 200),
    "PCIDSK by pixel": ("ms.pix", lambda p: as_file(p, "ms.pix", "PCIDSK", ["INTERLEAVING=PIXEL"]), 50_000),
    "PCIDSK by band": ("ms.pix", lambda p: as_file(p, "ms.pix", "PCIDSK", ["INTERLEAVING=BAND"]), 50_000),
    "PCIDSK by file": ("ms.001", lambda p: as_file(p, "ms.pix", "PCIDSK", ["INTERLEAVING=FILE"]), 200),
    "R raster": ("ms.gri", lambda p: as_file(p, "ms.grd", "RRASTER"), 200),
    "BIL of 4 bits": ("ms.bil", as_bil, 200),
    "NLAPS": ("ms.i1", as_nlaps, 200),
    "GeoPackage": ("ms.gpkg", lambda p: as_file(p, "ms.gpkg", "GPKG"), 200),
    "raw VRT": ("ms.raw", as_raw_vrt, 200),
}


@pytest.mark.promise(12)
@pytest.mark.parametrize("format_name", CUT)
def test_files_whose_end_is_missing_are_named(tmp_path, format_name):
    name, make, missing = CUT[format_name]
    pair = Recipe(bands=1 if format_name in ONE_BAND else 4).write(tmp_path)
    pair.ms = make(pair)
    whole = (tmp_path / name).read_bytes()
    fuse(job(pair, tmp_path / "whole.tif"))
    (tmp_path / name).write_bytes(whole[:-missing])
    refused(pair, tmp_path, [name, "cut short", f"{len(whole) - missing:,}"], InputError)


@pytest.mark.promise(12)
def test_the_last_file_of_a_large_mosaic_is_looked_at_too(tmp_path):
    pair = Recipe(bands=1, height=64, width=1200).write(tmp_path)
    ms, names = load_image(pair.ms)[0], []
    for column in range(300):
        names.append(str(tmp_path / f"p{column:03}.dat"))
        memory = gdal.GetDriverByName("MEM").Create("", 1, 16, 1, gdal.GDT_UInt16)
        memory.SetGeoTransform((5e5 + 8 * column, 8, 0, 4e6, 0, -8))
        memory.WriteArray(ms[:, column : column + 1])
        gdal.Translate(names[-1], memory, format="ENVI")
    pair.ms = tmp_path / "mosaic.vrt"
    gdal.BuildVRT(str(pair.ms), names, outputSRS="EPSG:32633").FlushCache()
    os.truncate(names[-1], 20)
    refused(pair, tmp_path, ["p299.dat", "cut short"], InputError)


@pytest.mark.promise(12)
@pytest.mark.parametrize("driver", ["JPEG", "GTiff"])
def test_damage_that_decoders_only_warn_of_is_an_error(tmp_path, driver):
    pair = Recipe(bands=3, dtype="uint8", scale=0.08, height=512, width=512).write(tmp_path)
    damaged = tmp_path / "damaged"
    options = ["WORLDFILE=YES"] if driver == "JPEG" else ["COMPRESS=JPEG", "INTERLEAVE=PIXEL"]
    gdal.Translate(str(damaged), str(pair.ms), format=driver, creationOptions=options)
    raw = bytearray(damaged.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 300] = bytes(300)
    damaged.write_bytes(raw[:middle] if driver == "JPEG" else raw)
    pair.ms = damaged
    refused(pair, tmp_path, ["damaged", "cannot be read"])


@pytest.mark.promise(12)
def test_input_overwritten_during_the_run_gives_no_mixture(tmp_path):
    pair = Recipe(height=256, width=256).write(tmp_path)
    ms = load_image(pair.ms)

    def overwrite(share: float) -> None:
        if share > 0.5:
            save(pair.ms, ms[:, ::-1], transform=(5e5, 8, 0, 4e6, 0, -8))

    with pytest.raises(InputError, match="changed while it was read"):
        fuse(job(pair, tmp_path / "out.tif", tile=64), Progress(report=overwrite))
    assert not (tmp_path / "out.tif").exists()
