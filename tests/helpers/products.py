"""Products as makers deliver them, cut from a synthetic pair: files and metadata of their names and forms."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

from helpers.scenes import Pair, Recipe
from osgeo import gdal

LANDSAT_NUMBERS = {7: (1, 2, 3, 4, 5, 7), 8: (1, 2, 3, 4, 5, 6, 7), 9: (1, 2, 3, 4, 5, 6, 7)}
MAXAR_GROUPS = {4: ("B", "G", "R", "N"), 8: ("C", "B", "G", "Y", "R", "RE", "N", "N2")}


def pair_for(folder: Path, bands: int, ratio: int, **more: object) -> Pair:
    """A pair to cut a product from, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return Recipe(bands=bands, ratio=ratio, height=160, width=192, **more).write(folder)  # type: ignore[arg-type]


def cut(source: Path, target: Path, bands: list[int] | None = None, window: tuple[int, ...] | None = None) -> Path:
    """Bands, or a window (column, row, width, height), of a raster in a file of its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    gdal.Translate(str(target), str(source), bandList=bands, srcWin=window, creationOptions=["ALPHA=NO"])
    return target


def landsat_items(product: str, satellite: int, collection: int, level: int) -> dict[str, dict[str, str]]:
    """Groups of an MTL file as they are in collection 1 and 2."""
    numbers = LANDSAT_NUMBERS[satellite]
    prefix = "_SR_B" if level == 2 else "_B"
    files = {f"FILE_NAME_BAND_{n}": f"{product}{prefix}{n}.TIF" for n in numbers}
    thermal = {"FILE_NAME_BAND_6_VCID_1": f"{product}_B6_VCID_1.TIF"} if satellite == 7 else {}
    if level == 1:
        more = {} if satellite == 7 else {f"FILE_NAME_BAND_{n}": f"{product}_B{n}.TIF" for n in (9, 10, 11)}
        files |= {"FILE_NAME_BAND_8": f"{product}_B8.TIF", **thermal, **more}
    else:
        files |= {"FILE_NAME_BAND_ST_B10": f"{product}_ST_B10.TIF"}
    when = {
        "SPACECRAFT_ID": f"LANDSAT_{satellite}",
        "WRS_PATH": "190",
        "WRS_ROW": "24",
        "DATE_ACQUIRED": "2020-07-01",
    }
    kind = "L2SP" if level == 2 else "L1TP"
    if collection == 1:
        return {
            "METADATA_FILE_INFO": {
                "ORIGIN": "Image courtesy of the U.S. Geological Survey", "REQUEST_ID": "0502007280001_00012",
                "LANDSAT_SCENE_ID": f"L{product[1]}{satellite}1900242020183LGN00", "LANDSAT_PRODUCT_ID": product,
                "COLLECTION_NUMBER": "01", "FILE_DATE": "2020-07-08T13:20:11Z", "STATION_ID": "LGN",
                "PROCESSING_SOFTWARE_VERSION": "LPGS_13.1.0",
            },
            "PRODUCT_METADATA": {
                "DATA_TYPE": kind, "COLLECTION_CATEGORY": "T1", "ELEVATION_SOURCE": "GLS2000",
                "OUTPUT_FORMAT": "GEOTIFF", **when, **corners(), **files,
                "FILE_NAME_BAND_QUALITY": f"{product}_BQA.TIF", "METADATA_FILE_NAME": f"{product}_MTL.txt",
                "CPF_NAME": "LC08CPF_20200701_20200930_01.01",
            },
            "IMAGE_ATTRIBUTES": {"CLOUD_COVER": "3.12", "SUN_AZIMUTH": "149.1", "SUN_ELEVATION": "59.6"},
            **calibration(numbers), "PROJECTION_PARAMETERS": projection(),
        }  # fmt: skip
    record = {
        "ORIGIN": "Image courtesy of the U.S. Geological Survey",
        "DIGITAL_OBJECT_IDENTIFIER": "https://doi.org/10.5066/P975CC9B", "REQUEST_ID": "L2",
        "LANDSAT_SCENE_ID": f"L{product[1]}{satellite}1900242020183LGN00",
        "LANDSAT_PRODUCT_ID": product.replace("L2SP", "L1TP"), "PROCESSING_LEVEL": "L1TP",
        "COLLECTION_CATEGORY": "T1", "OUTPUT_FORMAT": "GEOTIFF",
        **{f"FILE_NAME_BAND_{n}": f"{product.replace('L2SP', 'L1TP')}_B{n}.TIF" for n in (*numbers, 8, 9)},
        "FILE_NAME_METADATA_ODL": f"{product}_MTL.txt", "DATE_PRODUCT_GENERATED": "2020-09-12T10:02:33Z",
    }  # fmt: skip
    second = {
        "PROCESSING_LEVEL": kind,
        "ALGORITHM_SOURCE_SURFACE_REFLECTANCE": "LaSRC_1.5.0",
        "DATA_SOURCE_OZONE": "MODIS",
    }
    return {
        "PRODUCT_CONTENTS": {
            "ORIGIN": "Image courtesy of the U.S. Geological Survey",
            "DIGITAL_OBJECT_IDENTIFIER": "https://doi.org/10.5066/P975CC9B", "LANDSAT_PRODUCT_ID": product,
            "PROCESSING_LEVEL": kind, "COLLECTION_NUMBER": "02", "COLLECTION_CATEGORY": "T1",
            "OUTPUT_FORMAT": "GEOTIFF", **files, "FILE_NAME_QUALITY_L1_PIXEL": f"{product}_QA_PIXEL.TIF",
            "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{product}_QA_RADSAT.TIF",
            "FILE_NAME_METADATA_ODL": f"{product}_MTL.txt", "FILE_NAME_METADATA_XML": f"{product}_MTL.xml",
            **{f"DATA_TYPE_BAND_{n}": "UINT16" for n in numbers}, "PRESENT_BAND_8": "Y",
        },
        "IMAGE_ATTRIBUTES": {
            **when, "WRS_TYPE": "2", "NADIR_OFFNADIR": "NADIR", "TARGET_WRS_PATH": "190", "TARGET_WRS_ROW": "24",
            "SCENE_CENTER_TIME": "10:02:33.4456789Z", "SENSOR_ID": "OLI_TIRS", "STATION_ID": "LGN",
            "CLOUD_COVER": "3.12", "SUN_AZIMUTH": "149.1", "SUN_ELEVATION": "59.6", "EARTH_SUN_DISTANCE": "1.0166834",
        },
        "PROJECTION_ATTRIBUTES": {**projection(), **corners()},
        **({"LEVEL2_PROCESSING_RECORD": second} if level == 2 else {}),
        "LEVEL1_PROCESSING_RECORD": record,
        **{f"LEVEL1_{name}": values for name, values in calibration(numbers).items()},
        "LEVEL1_PROJECTION_PARAMETERS": projection(),
    }  # fmt: skip


def corners() -> dict[str, str]:
    """Corners of a Landsat scene as an MTL file lists them."""
    found: dict[str, str] = {}
    for corner, (lat, lon) in {"UL": ("51", "12"), "UR": ("51", "15"), "LL": ("49", "12"), "LR": ("49", "15")}.items():
        found |= {f"CORNER_{corner}_LAT_PRODUCT": f"{lat}.2", f"CORNER_{corner}_LON_PRODUCT": f"{lon}.1"}
    return {**found, "PANCHROMATIC_LINES": "320", "REFLECTIVE_LINES": "160", "REFLECTIVE_SAMPLES": "192"}


def projection() -> dict[str, str]:
    """The projection as an MTL file states it."""
    return {
        "MAP_PROJECTION": "UTM", "DATUM": "WGS84", "ELLIPSOID": "WGS84", "UTM_ZONE": "33",
        "GRID_CELL_SIZE_PANCHROMATIC": "15.00", "GRID_CELL_SIZE_REFLECTIVE": "30.00", "ORIENTATION": "NORTH_UP",
        "RESAMPLING_OPTION": "CUBIC_CONVOLUTION",
    }  # fmt: skip


def calibration(numbers: tuple[int, ...]) -> dict[str, dict[str, str]]:
    """Groups of an MTL file that hold numbers of each band."""
    return {
        "MIN_MAX_RADIANCE": {
            f"RADIANCE_{end}_BAND_{n}": value
            for n in numbers
            for end, value in (("MAXIMUM", "776.3"), ("MINIMUM", "-64.1"))
        },
        "MIN_MAX_PIXEL_VALUE": {
            f"QUANTIZE_CAL_{end}_BAND_{n}": value for n in numbers for end, value in (("MAX", "65535"), ("MIN", "1"))
        },
        "RADIOMETRIC_RESCALING": {f"REFLECTANCE_MULT_BAND_{n}": "2.0000E-05" for n in numbers},
    }


def mtl(groups: dict[str, dict[str, str]], form: str, collection: int) -> str:
    """The text of an MTL file."""
    root = "L1_METADATA_FILE" if collection == 1 else "LANDSAT_METADATA_FILE"
    if form == "json":
        return json.dumps({root: groups}, indent=2)
    if form == "xml":
        inner = "".join(
            f"<{g}>{''.join(f'<{k}>{v}</{k}>' for k, v in items.items())}</{g}>\n" for g, items in groups.items()
        )
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{inner}</{root}>\n'
    lines = [f"GROUP = {root}"]
    for group, items in groups.items():
        values = (
            f"    {k} = {v}" if k in ("WRS_PATH", "DATE_ACQUIRED") else f'    {k} = "{v}"' for k, v in items.items()
        )
        lines += [f"  GROUP = {group}", *values, f"  END_GROUP = {group}"]
    return "\n".join([*lines, f"END_GROUP = {root}", "END"])


def landsat(
    folder: Path,
    pair: Pair,
    satellite: int = 8,
    collection: int = 2,
    level: int = 1,
    forms: tuple[str, ...] = ("txt",),
    capitals: bool = True,
) -> str:
    """A Landsat product in a folder; returns its name."""
    letter = "E" if satellite == 7 else "C"
    product = f"L{letter}0{satellite}_L{'2SP' if level == 2 else '1TP'}_190024_20200701_20200802_0{collection}_T1"
    groups = landsat_items(product, satellite, collection, level)
    folder.mkdir(parents=True, exist_ok=True)

    def named(name: str) -> Path:
        return folder / (name if capitals else name.lower())

    prefix = "_SR_B" if level == 2 else "_B"
    for band, number in enumerate(LANDSAT_NUMBERS[satellite], start=1):
        cut(pair.ms, named(f"{product}{prefix}{number}.TIF"), [band])
    if level == 1:
        cut(pair.pan, named(f"{product}_B8.TIF"))
        for extra in ("B6_VCID_1",) if satellite == 7 else ("B9", "B10", "B11"):
            cut(pair.ms, named(f"{product}_{extra}.TIF"), [1])
    cut(pair.ms, named(f"{product}_QA_PIXEL.TIF"), [1])
    for form in forms:
        named(f"{product}_MTL.{form}").write_text(mtl(groups, form, collection), encoding="utf-8")
    return product


def ali(folder: Path, pair: Pair) -> str:
    """An EO-1 ALI product of level L1T."""
    name = "EO1A1230682002045110KP"
    items = {"SPACECRAFT_ID": "EO1", "SENSOR_ID": "ALI", "ACQUISITION_DATE": "2002-02-14", "WRS_PATH": "123"}
    items |= {f"BAND{n}_FILE_NAME": f"{name}_B{n:02}_L1T.TIF" for n in range(1, 11)}
    folder.mkdir(parents=True, exist_ok=True)
    cut(pair.pan, folder / f"{name}_B01_L1T.TIF")
    for band in range(1, 10):
        cut(pair.ms, folder / f"{name}_B{band + 1:02}_L1T.TIF", [band])
    text = mtl({"PRODUCT_METADATA": items}, "txt", 1)
    (folder / f"{name}_MTL_L1T.TXT").write_text(text, encoding="utf-8")
    return name


def imd(groups: tuple[str, ...], rows: int, columns: int, satellite: str, catalog: str, date: str) -> str:
    """The text of an IMD file."""
    corner_names = [f"{place}{axis}" for place in ("UL", "UR", "LR", "LL") for axis in ("Lon", "Lat", "HAE")]
    edges = "".join(f"\t{name} = {15.0 + i};\n" for i, name in enumerate(corner_names))
    bands = "".join(
        f"BEGIN_GROUP = BAND_{g}\n{edges}\tabsCalFactor = 1.0e-02;\n\teffectiveBandwidth = 5.4e-02;\n"
        f"\tTDILevel = 24;\nEND_GROUP = BAND_{g}\n"
        for g in groups
    )
    pan = groups == ("P",)
    return (
        f'version = "28.3";\ngenerationTime = 2019-01-01T00:00:00.000000Z;\nproductOrderId = "014493935010_01_P001";\n'
        f'productCatalogId = "A0300100";\nchildCatalogId = "20200{catalog}";\nimageDescriptor = "OrthoRectified3";\n'
        f'bandId = "{"P" if pan else "Multi"}";\npanSharpenAlgorithm = "None";\nnumRows = {rows};\n'
        f'numColumns = {columns};\nproductLevel = "LV3X";\nproductType = "Map Scale Ortho";\nnumberOfLooks = 1;\n'
        'radiometricLevel = "Corrected";\nradiometricEnhancement = "Off";\nbitsPerPixel = 16;\n'
        f'compressionType = "None";\n{bands}outputFormat = "GeoTIFF";\n'
        f'BEGIN_GROUP = IMAGE_1\n\tsatId = "{satellite}";\n\tmode = "FullSwath";\n'
        f'\tscanDirection = "Forward";\n\tcatId = "{catalog}";\n\tfirstLineTime = {date}T10:12:13.123456Z;\n'
        "\tavgLineRate = 5000.00;\n\texposureDuration = 0.00020;\n\tminCollectedRowGSD = 0.5;\n"
        "\tmeanSunAz = 160.2;\n\tmeanSunEl = 51.3;\n\tmeanOffNadirViewAngle = 12.1;\n\tcloudCover = 0.000;\n"
        '\tresamplingKernel = "CC";\n\tpositionKnowledgeSrc = "R";\n\trevNumber = 48000;\nEND_GROUP = IMAGE_1\n'
        'BEGIN_GROUP = MAP_PROJECTED_PRODUCT\n\tearliestAcqTime = 2019-04-23T10:12:13.123456Z;\n\tdatumName = "WE";\n'
        '\tsemiMajorAxis = 6378137.0000;\n\tmapProjName = "UTM";\n\tmapZone = 33;\n\tmapHemi = "N";\n'
        '\tmapProjParam = (\n\t\t0.0,\n\t\t0.0,\n\t\t0.0 );\n\tproductUnits = "M";\n\toriginX = 500000.0;\n'
        "\toriginY = 4000000.0;\n\tproductGSD = 0.5;\nEND_GROUP = MAP_PROJECTED_PRODUCT\nEND;\n"
    )


def tiled(source: Path, folder: Path, name: str, across: int, overlap: int = 0) -> list[str]:
    """A raster cut into tiles side by side, NAME with {} for R1C1 and so on; returns their names."""
    image = gdal.Open(str(source))
    width, height, step = image.RasterXSize, image.RasterYSize, -(-image.RasterXSize // across)
    names = []
    for column in range(across):
        start = column * step
        names.append(name.format(f"R1C{column + 1}"))
        cut(source, folder / names[-1], None, (start, 0, min(step + overlap, width - start), height))
    return names


def worldview(
    folder: Path,
    pair: Pair,
    across: int = 2,
    overlap: int = 0,
    part: str = "P001",
    date: str = "2019-04-23",
    satellite: str = "WV02",
) -> None:
    """PAN and MS folders side by side, each with an IMD, a TIL and tiles."""
    order, catalog = f"014493935010_01_{part}", "103001008F2A5500" + part
    for kind, source, suffix in (("P2AS", pair.pan, "PAN"), ("M2AS", pair.ms, "MUL")):
        image = gdal.Open(str(source))
        groups = ("P",) if suffix == "PAN" else MAXAR_GROUPS[image.RasterCount]
        place, stem = folder / f"{order}_{suffix}", f"19APR23021253-{kind}"
        names = tiled(source, place, stem + "_{}-" + order + ".TIF", across, overlap)
        text = imd(groups, image.RasterYSize, image.RasterXSize, satellite, catalog, date)
        (place / f"{stem}-{order}.IMD").write_text(text, encoding="utf-8")
        offsets = "".join(f"\t{c}{axis}Offset = 0;\n" for c in ("UL", "UR", "LR", "LL") for axis in ("Col", "Row"))
        til = f'bandId = "{"P" if suffix == "PAN" else "Multi"}";\nnumTiles = {len(names)};\n' + "".join(
            f'tileSize = 16384;\ntileUnits = "Pixels";\ntileOverlap = 0;\nBEGIN_GROUP = TILE_{i}\n'
            f'\tfilename = "{n}";\n{offsets}\tULLon = 15.0;\n\tULLat = 36.1;\nEND_GROUP = TILE_{i}\n'
            for i, n in enumerate(names, start=1)
        )
        (place / f"{stem}-{order}.TIL").write_text(til + "END;\n", encoding="utf-8")


DIMAP = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="STYLE.XSL"?>
<Dimap_Document>
  <Metadata_Identification><METADATA_FORMAT version="2.15">DIMAP</METADATA_FORMAT>
    <METADATA_PROFILE>{mission}_ORTHO</METADATA_PROFILE><METADATA_SUBPROFILE>PRODUCT</METADATA_SUBPROFILE>
    <METADATA_LANGUAGE>en</METADATA_LANGUAGE></Metadata_Identification>
  <Dataset_Identification><DATASET_TYPE>RASTER_ORTHO</DATASET_TYPE><DATASET_NAME version="1.0">{name}</DATASET_NAME>
    <Legal_Constraints><COPYRIGHT>\u00a9 CNES 2021</COPYRIGHT><LICENSE_NAME>STANDARD</LICENSE_NAME></Legal_Constraints>
  </Dataset_Identification>
  <Dataset_Content><SURFACE_AREA unit="square km">1</SURFACE_AREA><CLOUD_COVERAGE unit="percent">0</CLOUD_COVERAGE>
    <Dataset_Extent><EXTENT_TYPE>Bounding_Polygon</EXTENT_TYPE><Vertex><LON>15.0</LON><LAT>36.1</LAT><X>500000</X>
      <Y>4000000</Y><COL>1</COL><ROW>1</ROW></Vertex></Dataset_Extent>
    <Dataset_Components><Component><COMPONENT_TITLE>Cloud Cotation (CLD)</COMPONENT_TITLE><COMPONENT_TYPE>QUALITY
      </COMPONENT_TYPE><COMPONENT_PATH href="MASKS/CLD_{name}_MSK.GML"/></Component></Dataset_Components>
  </Dataset_Content>
  <Product_Information><Delivery_Identification><PRODUCTION_DATE>2021-06-01T10:00:00.000Z</PRODUCTION_DATE>
    <JOB_ID>7569651</JOB_ID><PRODUCT_TYPE>ORTHO</PRODUCT_TYPE></Delivery_Identification></Product_Information>
  <Coordinate_Reference_System><Projected_CRS><PROJECTED_CRS_NAME>WGS 84 / UTM zone 33N</PROJECTED_CRS_NAME>
    <PROJECTED_CRS_CODE>urn:ogc:def:crs:EPSG::32633</PROJECTED_CRS_CODE></Projected_CRS></Coordinate_Reference_System>
  <Geoposition><Geoposition_Insert><ULXMAP>500000</ULXMAP><ULYMAP>4000000</ULYMAP><XDIM>{pixel}</XDIM><YDIM>{pixel}</YDIM>
  </Geoposition_Insert><Raster_CRS><RASTER_GEOMETRY>RASTER</RASTER_GEOMETRY></Raster_CRS></Geoposition>
  <Processing_Information><Product_Settings><PROCESSING_LEVEL>ORTHO</PROCESSING_LEVEL>
    <SPECTRAL_PROCESSING>{kind}</SPECTRAL_PROCESSING><Radiometric_Settings><RADIOMETRIC_PROCESSING>BASIC
    </RADIOMETRIC_PROCESSING></Radiometric_Settings><Geometric_Settings><GEOMETRIC_PROCESSING>ORTHO</GEOMETRIC_PROCESSING>
    </Geometric_Settings></Product_Settings></Processing_Information>
  <Raster_Data>
    <Data_Access><DATA_FILE_ORGANISATION>BAND_COMPOSITE</DATA_FILE_ORGANISATION><DATA_FILE_FORMAT>image/tiff
      </DATA_FILE_FORMAT><DATA_FILE_TILES>true</DATA_FILE_TILES>
{files}    </Data_Access>
    <Raster_Dimensions><NROWS>{rows}</NROWS><NCOLS>{columns}</NCOLS><NBANDS>{bands}</NBANDS>
      <Tile_Set><NTILES>{count}</NTILES><Regular_Tiling><NTILES_SIZE nrows="{rows}" ncols="{step}"/>
        <NTILES_COUNT ntiles_R="1" ntiles_C="{count}"/><OVERLAP_ROW>0</OVERLAP_ROW><OVERLAP_COL>{overlap}</OVERLAP_COL>
      </Regular_Tiling></Tile_Set></Raster_Dimensions>
    <Raster_Encoding><DATA_TYPE>INTEGER</DATA_TYPE><NBITS>16</NBITS><SIGN>UNSIGNED</SIGN><BYTEORDER>M</BYTEORDER>
    </Raster_Encoding>
    <Raster_Display><Band_Display_Order><RED_CHANNEL>B2</RED_CHANNEL><GREEN_CHANNEL>B1</GREEN_CHANNEL>
      <BLUE_CHANNEL>B0</BLUE_CHANNEL></Band_Display_Order>{indices}<Special_Value><SPECIAL_VALUE_TEXT>NODATA
      </SPECIAL_VALUE_TEXT><SPECIAL_VALUE_COUNT>0</SPECIAL_VALUE_COUNT></Special_Value><Special_Value>
      <SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_COUNT>4095</SPECIAL_VALUE_COUNT></Special_Value>
    </Raster_Display>
  </Raster_Data>
  <Radiometric_Data><Dynamic_Range><ACQUISITION_RANGE unit="bits">12</ACQUISITION_RANGE></Dynamic_Range>
    <Radiometric_Calibration><Instrument_Calibration><Band_Measurement_List><Band_Radiance><BAND_ID>B0</BAND_ID>
      <MEASURE_DESC>Raw radiometric counts</MEASURE_DESC><GAIN>9.4</GAIN><BIAS>0</BIAS></Band_Radiance>
    </Band_Measurement_List></Instrument_Calibration></Radiometric_Calibration></Radiometric_Data>
  <Geometric_Data><Use_Area><Located_Geometric_Values><LOCATION_TYPE>Center</LOCATION_TYPE><Acquisition_Angles>
    <AZIMUTH_ANGLE unit="deg">180.1</AZIMUTH_ANGLE></Acquisition_Angles></Located_Geometric_Values></Use_Area>
  </Geometric_Data>
  <Quality_Assessment><Planimetric_Accuracy_Measurement><ACCURACY unit="m">6</ACCURACY>
    </Planimetric_Accuracy_Measurement>
  </Quality_Assessment>
  <Dataset_Sources><Source_Identification><SOURCE_ID>DS_{mission}{index}_202105061011123</SOURCE_ID>
    <SOURCE_TYPE>Strip_Source</SOURCE_TYPE><Strip_Source><MISSION>{mission}</MISSION><MISSION_INDEX>{index}</MISSION_INDEX>
    <INSTRUMENT>{mission}</INSTRUMENT><BAND_MODE>{kind}</BAND_MODE>
    <IMAGING_DATE>2021-05-06</IMAGING_DATE><IMAGING_TIME>10:11:12.3Z</IMAGING_TIME></Strip_Source></Source_Identification>
  </Dataset_Sources>
</Dimap_Document>
"""


def dimap(
    folder: Path,
    pair: Pair,
    mission: str = "PHR",
    index: str = "1A",
    across: int = 2,
    overlap: int = 0,
    told: bool = True,
) -> None:
    """A volume with PAN and MS; the bands of MS in the file are red, green, blue, nir (and red edge, deep blue)."""
    order = ("B2", "B1", "B0", "B3")
    neo = mission == "PNEO"
    for kind, source in (("PAN" if neo else "P", pair.pan), ("MS-FS" if neo else "MS", pair.ms)):
        image = gdal.Open(str(source))
        name = f"{mission}{index}_{kind}_202105061011123_ORT_7569651-00{1 if source == pair.pan else 2}"
        place, step = folder / f"IMG_{mission}{index}_{kind}", -(-image.RasterXSize // across)
        halves = [("RGB", [1, 2, 3]), ("NED", [4, 5, 6])] if kind == "MS-FS" else [("", None)]
        files = ""
        for word, bands in halves:
            one = cut(source, folder.parent / f"half{word}.tif", bands)
            names = tiled(one, place, f"IMG_{name}{'_' + word if word else ''}" + "_{}.TIF", across, overlap)
            files += "<Data_Files>" + "".join(
                f'<Data_File tile_R="1" tile_C="{c}"><DATA_FILE_PATH href="{n}"/></Data_File>\n'
                for c, n in enumerate(names, start=1)
            ) + "</Data_Files>\n"  # fmt: skip
        indices = "".join(
            f"<Raster_Index><BAND_ID>{b}</BAND_ID><BAND_INDEX>{i}</BAND_INDEX></Raster_Index>"
            for i, b in enumerate(order, start=1)
        )
        text = DIMAP.format(
            mission=mission, name=name, pixel=image.GetGeoTransform()[1], kind=kind, files=files,
            rows=image.RasterYSize, columns=image.RasterXSize, bands=image.RasterCount, count=across, step=step,
            overlap=overlap, index=index,
            indices=f"<Raster_Index_List>{indices}</Raster_Index_List>" if told and kind == "MS" else "",
        )  # fmt: skip
        (place / f"DIM_{name}.XML").write_text(text, encoding="utf-8")
    volume = "VOL_PNEO.XML" if neo else "VOL_PHR.XML"
    (folder / volume).write_text("<Dimap_Document><Metadata_Identification/></Dimap_Document>", encoding="utf-8")


def named(folder: Path, pair: Pair, pan: str, ms: str) -> None:
    """Files of given names: `ms` with {} is one file a band, numbered from 1."""
    cut(pair.pan, folder / pan)
    if "{}" in ms:
        for number in range(1, gdal.Open(str(pair.ms)).RasterCount + 1):
            cut(pair.ms, folder / ms.format(number), [number])
    else:
        cut(pair.ms, folder / ms)


def packed(folder: Path, archive: Path) -> Path:
    """A folder's files in an archive of the kind that its name says."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as target:
            for file in files:
                target.write(file, file.relative_to(folder).as_posix())
    else:
        with tarfile.open(archive, "w:gz" if archive.name.endswith("gz") else "w") as target:
            for file in files:
                target.add(file, file.relative_to(folder).as_posix())
    return archive
