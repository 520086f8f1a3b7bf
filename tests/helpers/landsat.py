"""Landsat products of collections 1 and 2 and EO-1 ALI, with MTL files as they are documented; values are made up."""

from __future__ import annotations

import json
import re
from pathlib import Path

from helpers.products import cut
from helpers.scenes import Pair
from osgeo import gdal

Groups = dict[str, dict[str, str]]

REFLECTIVE = {7: (1, 2, 3, 4, 5, 7), 8: (1, 2, 3, 4, 5, 6, 7), 9: (1, 2, 3, 4, 5, 6, 7)}
THERMAL = {7: ("6_VCID_1", "6_VCID_2"), 8: ("10", "11"), 9: ("10", "11")}
BARE = re.compile(r"-?\d+(\.\d+)?(E[+-]\d+)?|\d{4}-\d\d-\d\d(T\S+)?")  # values without quotation marks in text files
ORIGIN = {
    "ORIGIN": "Image courtesy of the U.S. Geological Survey",
    "DIGITAL_OBJECT_IDENTIFIER": "https://doi.org/10.5066/INVENTED",
}


def level_1_names(product: str, satellite: int) -> dict[str, str]:
    """Return the names of all files of level 1, as two groups of collection 2 list them."""
    names = [str(n) for n in REFLECTIVE[satellite]] + ["8", *(["9"] if satellite > 7 else []), *THERMAL[satellite]]
    angles = ("SENSOR_AZIMUTH", "SENSOR_ZENITH", "SOLAR_AZIMUTH", "SOLAR_ZENITH")
    return {
        **{f"FILE_NAME_BAND_{n}": f"{product}_B{n}.TIF" for n in names},
        "FILE_NAME_QUALITY_L1_PIXEL": f"{product}_QA_PIXEL.TIF",
        "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{product}_QA_RADSAT.TIF",
        "FILE_NAME_ANGLE_COEFFICIENT": f"{product}_ANG.txt",
        **{f"FILE_NAME_ANGLE_{a}_BAND_4": f"{product}_{a.replace('SENSOR', 'V').replace('_', '')}.TIF" for a in angles},
        "FILE_NAME_METADATA_ODL": f"{product}_MTL.txt",
        "FILE_NAME_METADATA_XML": f"{product}_MTL.xml",
        "FILE_NAME_CPF": "LC08CPF_20200701_20200930_02.01",
        "FILE_NAME_BPF_OLI": "LO8BPF20200701090000_20200701103000.01",
        "FILE_NAME_BPF_TIRS": "LT8BPF20200625090000_20200710090000.01",
        "FILE_NAME_RLUT": "LC08RLUT_20150303_20431231_02_01.h5",
        **{f"DATA_TYPE_BAND_{n}": "UINT16" for n in names},
        "DATA_TYPE_QUALITY_L1_PIXEL": "UINT16",
        **{f"DATA_TYPE_ANGLE_{a}_BAND_4": "INT16" for a in angles},
    }


def level_2_names(product: str, satellite: int) -> dict[str, str]:
    """Return the names of all files of level 2."""
    numbers, thermal = REFLECTIVE[satellite], "B6" if satellite == 7 else "B10"
    quantities = {
        "THERMAL_RADIANCE": "TRAD", "UPWELL_RADIANCE": "URAD", "DOWNWELL_RADIANCE": "DRAD",
        "ATMOSPHERIC_TRANSMITTANCE": "ATRAN", "EMISSIVITY": "EMIS", "EMISSIVITY_STDEV": "EMSD",
        "CLOUD_DISTANCE": "CDIST",
    }  # fmt: skip
    return {
        **{f"FILE_NAME_BAND_{n}": f"{product}_SR_B{n}.TIF" for n in numbers},
        f"FILE_NAME_BAND_ST_{thermal}": f"{product}_ST_{thermal}.TIF",
        **{f"FILE_NAME_{name}": f"{product}_ST_{short}.TIF" for name, short in quantities.items()},
        "FILE_NAME_QUALITY_L2_AEROSOL": f"{product}_SR_QA_AEROSOL.TIF",
        "FILE_NAME_QUALITY_L2_SURFACE_TEMPERATURE": f"{product}_ST_QA.TIF",
        "FILE_NAME_QUALITY_L1_PIXEL": f"{product}_QA_PIXEL.TIF",
        "FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION": f"{product}_QA_RADSAT.TIF",
        "FILE_NAME_ANGLE_COEFFICIENT": f"{product}_ANG.txt",
        "FILE_NAME_METADATA_ODL": f"{product}_MTL.txt",
        "FILE_NAME_METADATA_XML": f"{product}_MTL.xml",
        **{f"DATA_TYPE_BAND_{n}": "UINT16" for n in numbers},
        f"DATA_TYPE_BAND_ST_{thermal}": "UINT16",
    }


def collection_2(product: str, satellite: int, level: int) -> Groups:
    """Return the groups of an MTL file of collection 2. Level 2 repeats the metadata of level 1, names included."""
    first, scene = product.replace("L2SP", "L1TP"), f"L{product[1]}{satellite}1900242020183LGN00"
    collection = {"COLLECTION_NUMBER": "02", "COLLECTION_CATEGORY": "T1", "OUTPUT_FORMAT": "GEOTIFF"}
    names = level_2_names(product, satellite) if level == 2 else level_1_names(product, satellite)
    contents = {
        "LANDSAT_PRODUCT_ID": product,
        "PROCESSING_LEVEL": "L2SP" if level == 2 else "L1TP",
        **collection,
        **names,
    }
    groups = {
        "PRODUCT_CONTENTS": {**ORIGIN, **contents, "PRESENT_BAND_8": "Y"},
        "IMAGE_ATTRIBUTES": image_attributes(satellite),
        "PROJECTION_ATTRIBUTES": projection_attributes(),
    }
    if level == 2:
        groups |= {
            "LEVEL2_PROCESSING_RECORD": {
                **ORIGIN, "REQUEST_ID": "1500000_00001", **contents, "DATE_PRODUCT_GENERATED": "2020-08-02T10:02:33Z",
                "PROCESSING_SOFTWARE_VERSION": "LPGS_15.0.0", "ALGORITHM_SOURCE_SURFACE_REFLECTANCE": "LaSRC_1.5.0",
                "DATA_SOURCE_OZONE": "MODIS", "DATA_SOURCE_PRESSURE": "Calculated",
                "DATA_SOURCE_REANALYSIS": "GEOS-5 IT",
                "DATA_SOURCE_WATER_VAPOR": "MODIS", "ALGORITHM_SOURCE_SURFACE_TEMPERATURE": "st_1.3.0",
            },
            "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS": per_band(satellite, {
                "REFLECTANCE_MAXIMUM": "1.602213", "REFLECTANCE_MINIMUM": "-0.199972", "QUANTIZE_CAL_MAX": "65535",
                "QUANTIZE_CAL_MIN": "1", "REFLECTANCE_MULT": "2.75E-05", "REFLECTANCE_ADD": "-0.2",
            }),
            "LEVEL2_SURFACE_TEMPERATURE_PARAMETERS": {
                "TEMPERATURE_MAXIMUM_BAND_ST_B10": "372.999941", "TEMPERATURE_MULT_BAND_ST_B10": "0.00341802",
            },
        }  # fmt: skip
    record = {
        **ORIGIN, "REQUEST_ID": "L2", "LANDSAT_SCENE_ID": scene, "LANDSAT_PRODUCT_ID": first,
        "PROCESSING_LEVEL": "L1TP", **collection, **level_1_names(first, satellite),
        "DATA_SOURCE_TIRS_STRAY_LIGHT_CORRECTION": "TIRS",
        "DATA_SOURCE_ELEVATION": "GLS2000", "GROUND_CONTROL_POINTS_VERSION": "5", "GROUND_CONTROL_POINTS_MODEL": "512",
        "GEOMETRIC_RMSE_MODEL": "7.123", "GEOMETRIC_RMSE_MODEL_Y": "5.001", "GEOMETRIC_RMSE_MODEL_X": "5.072",
        "GROUND_CONTROL_POINTS_VERIFY": "101", "GEOMETRIC_RMSE_VERIFY": "3.300", "EPHEMERIS_TYPE": "DEFINITIVE",
        "DATE_PRODUCT_GENERATED": "2020-08-02T09:02:33Z", "PROCESSING_SOFTWARE_VERSION": "LPGS_15.0.0",
    }  # fmt: skip
    calibrated = {f"LEVEL1_{name}": values for name, values in calibration(satellite).items()}
    return {**groups, "LEVEL1_PROCESSING_RECORD": record, **calibrated, "LEVEL1_PROJECTION_PARAMETERS": projection()}


def collection_1(product: str, satellite: int) -> Groups:
    """Return the groups of an MTL file of collection 1, level 1."""
    bands = {key: name for key, name in level_1_names(product, satellite).items() if key.startswith("FILE_NAME_BAND")}
    kept = ("SPACECRAFT_ID", "SENSOR_ID", "WRS_PATH", "WRS_ROW", "NADIR_OFFNADIR", "DATE_ACQUIRED", "SCENE_CENTER_TIME")
    attributes = image_attributes(satellite)
    return {
        "METADATA_FILE_INFO": {
            "ORIGIN": ORIGIN["ORIGIN"], "REQUEST_ID": "0500000000000_00001", "LANDSAT_PRODUCT_ID": product,
            "LANDSAT_SCENE_ID": f"L{product[1]}{satellite}1900242020183LGN00", "COLLECTION_NUMBER": "01",
            "FILE_DATE": "2020-07-08T13:20:11Z", "STATION_ID": "LGN", "PROCESSING_SOFTWARE_VERSION": "LPGS_13.1.0",
        },
        "PRODUCT_METADATA": {
            "DATA_TYPE": "L1TP", "COLLECTION_CATEGORY": "T1", "ELEVATION_SOURCE": "GLS2000", "OUTPUT_FORMAT": "GEOTIFF",
            **{key: attributes[key] for key in kept}, **corners(), **sizes(), **bands,
            "FILE_NAME_BAND_QUALITY": f"{product}_BQA.TIF", "ANGLE_COEFFICIENT_FILE_NAME": f"{product}_ANG.txt",
            "METADATA_FILE_NAME": f"{product}_MTL.txt", "CPF_NAME": "LC08CPF_20200701_20200930_01.01",
        },
        "IMAGE_ATTRIBUTES": {key: value for key, value in attributes.items() if key not in kept},
        **calibration(satellite),
        "PROJECTION_PARAMETERS": projection(),
    }  # fmt: skip


def image_attributes(satellite: int) -> dict[str, str]:
    """Return the group of acquisition."""
    sensor = "ETM" if satellite == 7 else "OLI_TIRS"
    return {
        "SPACECRAFT_ID": f"LANDSAT_{satellite}", "SENSOR_ID": sensor, "WRS_TYPE": "2", "WRS_PATH": "190",
        "WRS_ROW": "024", "NADIR_OFFNADIR": "NADIR", "TARGET_WRS_PATH": "190", "TARGET_WRS_ROW": "024",
        "DATE_ACQUIRED": "2020-07-01", "SCENE_CENTER_TIME": "10:02:33.4456789Z",
        "STATION_ID": "LGN", "CLOUD_COVER": "3.12",
        "CLOUD_COVER_LAND": "3.40", "IMAGE_QUALITY_OLI": "9", "IMAGE_QUALITY_TIRS": "9",
        **{f"SATURATION_BAND_{n}": "N" for n in REFLECTIVE[satellite]},
        "ROLL_ANGLE": "-0.001", "SUN_AZIMUTH": "149.10000000", "SUN_ELEVATION": "59.60000000",
        "EARTH_SUN_DISTANCE": "1.0166834", "TRUNCATION_OLI": "UPPER", "TIRS_SSM_MODEL": "FINAL",
        "TIRS_SSM_POSITION_STATUS": "ESTIMATED",
    }  # fmt: skip


def corners() -> dict[str, str]:
    """Corners of the scene, geographic and projected."""
    fields: dict[str, str] = {}
    for corner, (lat, lon, x, y) in {
        "UL": ("51.2", "12.1", "500000.000", "4000000.000"), "UR": ("51.2", "15.1", "500384.000", "4000000.000"),
        "LL": ("49.2", "12.1", "500000.000", "3999680.000"), "LR": ("49.2", "15.1", "500384.000", "3999680.000"),
    }.items():  # fmt: skip
        fields |= {f"CORNER_{corner}_LAT_PRODUCT": lat, f"CORNER_{corner}_LON_PRODUCT": lon}
        fields |= {f"CORNER_{corner}_PROJECTION_X_PRODUCT": x, f"CORNER_{corner}_PROJECTION_Y_PRODUCT": y}
    return fields


def sizes() -> dict[str, str]:
    """Lines and samples of each kind of band."""
    return {
        "PANCHROMATIC_LINES": "320", "PANCHROMATIC_SAMPLES": "384", "REFLECTIVE_LINES": "160",
        "REFLECTIVE_SAMPLES": "192", "THERMAL_LINES": "160", "THERMAL_SAMPLES": "192",
    }  # fmt: skip


def projection() -> dict[str, str]:
    """Return the projection as level 1 states it."""
    return {
        "MAP_PROJECTION": "UTM", "DATUM": "WGS84", "ELLIPSOID": "WGS84", "UTM_ZONE": "33",
        "GRID_CELL_SIZE_PANCHROMATIC": "15.00", "GRID_CELL_SIZE_REFLECTIVE": "30.00", "GRID_CELL_SIZE_THERMAL": "30.00",
        "ORIENTATION": "NORTH_UP", "RESAMPLING_OPTION": "CUBIC_CONVOLUTION",
    }  # fmt: skip


def projection_attributes() -> dict[str, str]:
    """Return the group of collection 2, which holds sizes and corners too."""
    return {**projection(), **sizes(), **corners()}


def per_band(satellite: int, values: dict[str, str]) -> dict[str, str]:
    """Return values that every reflective band has."""
    return {f"{name}_BAND_{n}": value for name, value in values.items() for n in REFLECTIVE[satellite]}


def calibration(satellite: int) -> Groups:
    """Return groups that hold numbers of each band."""
    thermal = THERMAL[satellite]
    return {
        "MIN_MAX_RADIANCE": per_band(satellite, {"RADIANCE_MAXIMUM": "776.30000", "RADIANCE_MINIMUM": "-64.10000"}),
        "MIN_MAX_REFLECTANCE": per_band(
            satellite, {"REFLECTANCE_MAXIMUM": "1.2107", "REFLECTANCE_MINIMUM": "-0.09998"}
        ),
        "MIN_MAX_PIXEL_VALUE": per_band(satellite, {"QUANTIZE_CAL_MAX": "65535", "QUANTIZE_CAL_MIN": "1"}),
        "RADIOMETRIC_RESCALING": per_band(
            satellite, {"RADIANCE_MULT": "1.2824E-02", "RADIANCE_ADD": "-64.1", "REFLECTANCE_MULT": "2.0000E-05"}
        ),
        "THERMAL_CONSTANTS": {f"K{k}_CONSTANT_BAND_{n}": "774.8853" for k in (1, 2) for n in thermal},
    }


def mtl(groups: Groups, form: str, collection: int) -> str:
    """Return the text of an MTL file."""
    root = "L1_METADATA_FILE" if collection == 1 else "LANDSAT_METADATA_FILE"
    if form == "json":
        return json.dumps({root: groups}, indent=2)
    if form == "xml":
        inner = "".join(
            f"  <{g}>\n" + "".join(f"    <{k}>{v}</{k}>\n" for k, v in items.items()) + f"  </{g}>\n"
            for g, items in groups.items()
        )
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{inner}</{root}>\n'
    lines = [f"GROUP = {root}"]
    for group, items in groups.items():
        values = (f"    {k} = {v}" if BARE.fullmatch(v) else f'    {k} = "{v}"' for k, v in items.items())
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
    made: str = "2020-08-02",
) -> str:
    """Write a Landsat product, processed on the day `made`, to a folder and return its name."""
    letter, day = "E" if satellite == 7 else "C", made.replace("-", "")
    product = f"L{letter}0{satellite}_L{'2SP' if level == 2 else '1TP'}_190024_20200701_{day}_0{collection}_T1"
    groups = collection_1(product, satellite) if collection == 1 else collection_2(product, satellite, level)
    folder.mkdir(parents=True, exist_ok=True)

    def named(name: str) -> Path:
        return folder / (name if capitals else name.lower())

    prefix = "_SR_B" if level == 2 else "_B"
    for band, number in enumerate(REFLECTIVE[satellite], start=1):
        cut(pair.ms, named(f"{product}{prefix}{number}.TIF"), [band])
    if level == 1:
        cut(pair.pan, named(f"{product}_B8.TIF"))
        for extra in THERMAL[satellite] if satellite == 7 else ("9", *THERMAL[satellite]):
            cut(pair.ms, named(f"{product}_B{extra}.TIF"), [1])
    for extra in ("QA_PIXEL", "QA_RADSAT", *(("ST_B10", "ST_QA", "SR_QA_AEROSOL") if level == 2 else ("VAA", "SZA"))):
        cut(pair.ms, named(f"{product}_{extra}.TIF"), [1])
    for form in forms:
        text = mtl(groups, form, collection).replace("2020-08-02T", f"{made}T").replace("2020-07-08T", f"{made}T")
        named(f"{product}_MTL.{form}").write_text(text, encoding="utf-8")
    return product


def gap_masks(folder: Path, product: str, pair: Pair) -> None:
    """Write the masks of gaps of Landsat 7, one per band, into their folder."""
    for number in (*REFLECTIVE[7], 8):
        cut(pair.pan if number == 8 else pair.ms, folder / f"{product}_GM_B{number}.TIF", [1])


def ali(folder: Path, pair: Pair) -> str:
    """Write an EO-1 ALI product of level L1T."""
    name = "EO1A1230682002045110KP"
    product = {
        "SPACECRAFT_ID": "EO1", "SENSOR_ID": "ALI", "PRODUCT_TYPE": "L1T", "ACQUISITION_DATE": "2002-02-14",
        "WRS_PATH": "123", "WRS_ROW": "68", **corners(), **sizes(),
        **{f"BAND{n}_FILE_NAME": f"{name}_B{n:02}_L1T.TIF" for n in range(1, 11)},
        "METADATA_L1_FILE_NAME": f"{name}_MTL_L1T.TXT",
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    cut(pair.pan, folder / f"{name}_B01_L1T.TIF")
    for band in range(1, 10):
        cut(pair.ms, folder / f"{name}_B{band + 1:02}_L1T.TIF", [band])
    text = mtl({"PRODUCT_METADATA": product, "PROJECTION_PARAMETERS": projection()}, "txt", 1)
    (folder / f"{name}_MTL_L1T.TXT").write_text(text, encoding="utf-8")
    return name


def landsat_before_2012(folder: Path, pair: Pair, with_metadata: bool = True) -> None:
    """Write Landsat 7 with the names until 2012: the bands 6.2, 7 and 8 begin with L72."""
    scene = "190024_02420000801"
    tokens = {"B10": 1, "B20": 2, "B30": 3, "B40": 4, "B50": 5, "B70": 6, "B61": 1, "B62": 1, "B80": 0}
    names = {t: f"L7{2 if t in ('B62', 'B70', 'B80') else 1}{scene}_{t}.TIF" for t in tokens}
    for token, band in tokens.items():
        cut(pair.ms if band else pair.pan, folder / names[token], [band] if band else None)
    listed = {f"BAND{t[1:] if t[1] == '6' else t[1]}_FILE_NAME": name for t, name in names.items()}
    product = {
        "PRODUCT_TYPE": "L1T", "ELEVATION_SOURCE": "GLS2000", "PROCESSING_SOFTWARE": "LPGS_11.6.0",
        "EPHEMERIS_TYPE": "DEFINITIVE", "SPACECRAFT_ID": "Landsat7", "SENSOR_ID": "ETM+", "SENSOR_MODE": "SAM",
        "ACQUISITION_DATE": "2000-08-01", "SCENE_CENTER_SCAN_TIME": "09:42:17.1234567Z", "WRS_PATH": "190",
        "STARTING_ROW": "24", "ENDING_ROW": "24", "BAND_COMBINATION": "123456678", **corners(), **sizes(), **listed,
        "GCP_FILE_NAME": f"L71{scene}_GCP.txt", "METADATA_L1_FILE_NAME": f"L71{scene}_MTL.txt",
        "CPF_FILE_NAME": "L7CPF20000701_20000930_10",
    }  # fmt: skip
    file_info = {"ORIGIN": ORIGIN["ORIGIN"], "REQUEST_ID": "0701102010101_00001", "STATION_ID": "EDC"}
    parameters = {"CORRECTION_METHOD_GAIN_BAND1": "CPF", "BAND1_GAIN": "H", "BAND80_GAIN": "L"}
    groups = {"METADATA_FILE_INFO": file_info, "PRODUCT_METADATA": product, "PRODUCT_PARAMETERS": parameters}
    if with_metadata:
        text = mtl({**groups, "PROJECTION_PARAMETERS": projection()}, "txt", 1)
        (folder / f"L71{scene}_MTL.txt").write_text(text, encoding="utf-8")


def espa(folder: Path, pair: Pair, kind: str, with_level_1: bool) -> str:
    """Write an order of ESPA: reflectance as sr or toa, masks, and MTL file and PAN of level 1. Returns its name."""
    product = landsat(folder, pair, 8, 1)
    for number in (*REFLECTIVE[8], 9, 10, 11):
        if number < 8:
            target = folder / f"{product}_{kind}_band{number}.tif"
            options = gdal.TranslateOptions(bandList=[number], outputType=gdal.GDT_Int16, noData=-9999)
            gdal.Translate(str(target), str(pair.ms), options=options)
        if not with_level_1:
            (folder / f"{product}_B{number}.TIF").unlink()
    for word in ("pixel_qa", "radsat_qa", "sr_aerosol", "bt_band10", "bt_band11", "solar_zenith_band4"):
        cut(pair.ms, folder / f"{product}_{word}.tif", [1])
    (folder / f"{product}.xml").write_text('<?xml version="1.0"?>\n<espa_metadata version="2.0"/>\n', encoding="utf-8")
    return product


def working_imd(path: Path) -> None:
    """Write what GDAL made of an MTL file when it copied a band: an IMD file without bands."""
    groups = {"L1_METADATA_FILE.METADATA_FILE_INFO": ORIGIN, "L1_METADATA_FILE.IMAGE_ATTRIBUTES": image_attributes(8)}
    text = "".join(
        f"BEGIN_GROUP = {group}\n" + "".join(f'\t{k} = "{v}";\n' for k, v in items.items()) + f"END_GROUP = {group}\n"
        for group, items in groups.items()
    )
    path.write_text(f'version = "AA";\n{text}END;\n', encoding="utf-8")
