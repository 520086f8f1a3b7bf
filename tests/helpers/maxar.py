"""Products of Maxar: IMD, TIL, RPB and XML files of the documented structure next to tiles; all values are made up."""

from __future__ import annotations

from pathlib import Path

from helpers.products import tiled
from helpers.scenes import Pair
from osgeo import gdal

GROUPS = {1: ("P",), 4: ("B", "G", "R", "N"), 8: ("C", "B", "G", "Y", "R", "RE", "N", "N2")}
CORNERS = ("UL", "UR", "LR", "LL")


def worldview(
    folder: Path,
    pair: Pair,
    across: int = 2,
    overlap: int = 0,
    part: str = "P001",
    date: str = "2019-04-23",
    satellite: str = "WV02",
) -> None:
    """Write folders of PAN and MS, each with metadata and tiles."""
    order, catalog = f"014493935010_01_{part}", "103001008F2A5500" + part
    for product, source, suffix in (("P2AS", pair.pan, "PAN"), ("M2AS", pair.ms, "MUL")):
        raster = gdal.Open(str(source))
        root, stem = folder / f"{order}_{suffix}", f"19APR23021253-{product}"
        names = tiled(source, root, stem + "_{}-" + order + ".TIF", across, overlap)
        groups = GROUPS[raster.RasterCount]
        texts = {
            "IMD": imd(groups, raster.RasterYSize, raster.RasterXSize, satellite, catalog, date),
            "TIL": til(groups, names),
            "RPB": rpb(satellite),
            "XML": f"<?xml version='1.0' encoding='UTF-8'?>\n<isd><TIL><NUMTILES>{len(names)}</NUMTILES></TIL></isd>\n",
        }
        for ending, text in texts.items():
            (root / f"{stem}-{order}.{ending}").write_text(text, encoding="utf-8")
    (folder / f"{order}_README.XML").write_text("<README><MEDIATYPE>FTP</MEDIATYPE></README>", encoding="utf-8")


def imd(groups: tuple[str, ...], rows: int, columns: int, satellite: str, catalog: str, date: str) -> str:
    """Return the text of an IMD file."""
    parts = format_imd_header(groups, rows, columns), format_imd_bands(groups), 'outputFormat = "GeoTIFF";\n'
    return "".join((*parts, format_imd_image(satellite, catalog, date), format_imd_map(date), "END;\n"))


def format_imd_header(groups: tuple[str, ...], rows: int, columns: int) -> str:
    """Return the lines of an IMD file before its groups."""
    return f"""version = "28.3";
generationTime = 2019-05-01T00:00:00.000000Z;
productOrderId = "014493935010_01_P001";
productCatalogId = "A0300100";
imageDescriptor = "OrthoRectified3";
bandId = "{bands_of(groups)}";
panSharpenAlgorithm = "None";
numRows = {rows};
numColumns = {columns};
productLevel = "LV3X";
productType = "Map Scale Ortho";
numberOfLooks = 1;
radiometricLevel = "Corrected";
radiometricEnhancement = "Off";
bitsPerPixel = 16;
compressionType = "None";
"""


def format_imd_bands(groups: tuple[str, ...]) -> str:
    """Return one group per band."""
    edges = "".join(f"\t{c}{axis} = {15.0 + i};\n" for i, c in enumerate(CORNERS) for axis in ("Lon", "Lat", "HAE"))
    return "".join(
        f"BEGIN_GROUP = BAND_{g}\n{edges}\tabsCalFactor = 1.000000e-02;\n\teffectiveBandwidth = 5.430000e-02;\n"
        f"\tTDILevel = 24;\nEND_GROUP = BAND_{g}\n"
        for g in groups
    )


def format_imd_image(satellite: str, catalog: str, date: str) -> str:
    """Return the group of the image, with the angles of its acquisition."""
    angles = "".join(
        f"\t{end}{name} = {value};\n"
        for name, value in (
            ("CollectedRowGSD", 0.5), ("CollectedColGSD", 0.5), ("CollectedGSD", 0.5), ("SunAz", 160.2),
            ("SunEl", 51.3), ("SatAz", 200.1), ("SatEl", 70.5), ("InTrackViewAngle", -10.1),
            ("CrossTrackViewAngle", 5.5), ("OffNadirViewAngle", 12.1),
        )
        for end in ("min", "max", "mean")
    )  # fmt: skip
    return f"""BEGIN_GROUP = IMAGE_1
	satId = "{satellite}";
	mode = "FullSwath";
	scanDirection = "Forward";
	CatId = "{catalog}";
	TLCTime = {date}T10:12:13.123456Z;
	numTLC = 2;
	TLCList = (
		(0, 0.000000000),
		(16000, 3.200000000) );
	firstLineTime = {date}T10:12:13.123456Z;
	avgLineRate = 5000.00;
	exposureDuration = 0.00020;
{angles}	rowUncertainty = 41.34;
	colUncertainty = 36.43;
	PNIIRS = 5.1;
	cloudCover = 0.000;
	resamplingKernel = "CC";
	positionKnowledgeSrc = "R";
	attitudeKnowledgeSrc = "R";
	revNumber = 48000;
END_GROUP = IMAGE_1
"""


def format_imd_map(date: str) -> str:
    """Return the group of the map projection."""
    corners = "".join(f"\t{c}{axis} = 500000.0;\n" for c in CORNERS for axis in "XY")
    return f"""BEGIN_GROUP = MAP_PROJECTED_PRODUCT
	earliestAcqTime = {date}T10:12:13.123456Z;
	latestAcqTime = {date}T10:12:17.123456Z;
	datumName = "WE";
	semiMajorAxis = 6378137.0000;
	inverseFlattening = 298.257223563;
	datumOffset = (
		0.000,
		0.000,
		0.000 );
	mapProjName = "UTM";
	mapProjCode = 1;
	mapZone = 33;
	mapHemi = "N";
	mapProjParam = (
		0.0,
		0.0 );
	productUnits = "M";
	originX = 500000.00000000;
	originY = 4000000.00000000;
	orientationAngle = 0.0;
	colSpacing = 0.5;
	rowSpacing = 0.5;
	productGSD = 0.5;
{corners}	DEMCorrection = "Fine DEM";
	numGCP = 0;
END_GROUP = MAP_PROJECTED_PRODUCT
"""


def bands_of(groups: tuple[str, ...]) -> str:
    """Return the name of the kind of image in the files."""
    return "P" if groups == ("P",) else "Multi"


def til(groups: tuple[str, ...], names: list[str]) -> str:
    """Return the text of a TIL file."""
    offsets = "".join(f"\t{c}{axis}Offset = 0;\n" for c in CORNERS for axis in ("Col", "Row"))
    edges = "".join(f"\t{c}{axis} = 15.00000000;\n" for c in CORNERS for axis in ("Lon", "Lat", "X", "Y"))
    tiles = "".join(
        f'BEGIN_GROUP = TILE_{i}\n\tfilename = "{n}";\n{offsets}{edges}END_GROUP = TILE_{i}\n'
        for i, n in enumerate(names, start=1)
    )
    sizes = 'tileSizeX = 16384;\ntileSizeY = 16384;\ntileUnits = "Pixels";\ntileOverlap = 0;\n'
    return f'bandId = "{bands_of(groups)}";\nnumTiles = {len(names)};\n{sizes}{tiles}END;\n'


def rpb(satellite: str) -> str:
    """Return the text of an RPB file, which nothing reads here: ortho images are placed by their own georeference."""
    lists = "".join(
        f"\t{name} = (\n" + ",\n".join("\t\t\t+1.000000000000000E-03" for _ in range(20)) + ");\n"
        for name in ("lineNumCoef", "lineDenCoef", "sampNumCoef", "sampDenCoef")
    )
    values = "".join(
        f"\t{name}{term} = 1;\n" for term in ("Offset", "Scale") for name in ("line", "samp", "lat", "long", "height")
    )
    return (
        f'satId = "{satellite}";\nbandId = "P";\nSpecId = "RPC00B";\nBEGIN_GROUP = IMAGE\n\terrBias = 3.92;\n'
        f"\terrRand = 0.12;\n{values}{lists}END_GROUP = IMAGE\nEND;\n"
    )
