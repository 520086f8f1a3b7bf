"""One entry per supported family of products, for recognition, help, messages and docs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .dimap import read_dimap
from .landsat import read_mtl
from .listing import Listing
from .maxar import read_imd
from .metadata import Tree
from .scene import Part, Product, RefusedProduct, Sensor
from .sentinel2 import read_safe

Reader = Callable[[Listing, str, Tree, Sequence[Sensor]], Iterator[Part | Product | RefusedProduct]]


@dataclass(frozen=True)
class Family:
    """A family of products.

    title       its name in help, messages and docs
    recognised  by which files, and `bands` which bands it has, both for docs/products.md
    metadata    pattern of metadata files' paths; without one, only names of images are read
    read        yields PAN and MS, or products, of a metadata file, from its listing, path, tree and sensors
    """

    title: str
    recognised: str
    bands: str
    sensors: tuple[Sensor, ...]
    metadata: str = r"(?!)"  # This matches nothing.
    read: Reader = lambda *_: iter(())


def describe_families() -> str:
    """List all families for help and messages."""
    return ", ".join(family.title for family in FAMILIES)


def _parse(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """Parse bands of `token: name@centre` into two mappings for Sensor: tokens to names, names to centres."""
    entries = [re.split("[:@] ?", entry) for entry in text.split(", ")]
    names = {token: name for token, name, *_ in entries}
    return names, {name: float(nm) for _, name, *centre in entries for nm in centre}


_OLI = _parse(
    "1: coastal@443, 2: blue@482, 3: green@561, 4: red@655, 5: nir@865, 6: swir1@1609, 7: swir2@2201, 8: PAN, "
    "9: cirrus, 10: thermal 1, 11: thermal 2"
)
_ETM = _parse(
    "1: blue@478, 2: green@561, 3: red@661, 4: nir@835, 5: swir1@1650, 6: thermal, 7: swir2@2208, 8: PAN, "
    "6_VCID_1: thermal 1, 6_VCID_2: thermal 2, 61: thermal 1, 62: thermal 2, "
    "10: blue, 20: green, 30: red, 40: nir, 50: swir1, 70: swir2, 80: PAN"  # Until 2012.
)
_ALI = _parse(
    "1: PAN, 2: coastal@443, 3: blue@483, 4: green@565, 5: red@660, 6: nir@790, 7: nir2@868, 8: swir@1250, "
    "9: swir1@1650, 10: swir2@2215"
)
_GEOEYE = _parse("B: blue@480, G: green@545, R: red@672, N: nir@850")
_WORLDVIEW = _parse(
    "C: coastal@427, B: blue@478, G: green@546, Y: yellow@608, R: red@659, RE: red edge@724, N: nir@831, N2: nir2@908"
)
_MSI = _parse(
    "01: coastal@443, 02: blue@492, 03: green@560, 04: red@665, 05: red edge 1@704, 06: red edge 2@740, "
    "07: red edge 3@781, 08: nir@833, 8A: narrow nir@865, 09: water vapour@944, 10: cirrus@1375, 11: swir1@1612, "
    "12: swir2@2194"
)
_ASTER = {  # By telescope.
    "VNIR": "1: green@556, 2: red@661, 3N: nir@807",
    "SWIR": "4: swir 4@1656, 5: swir 5@2167, 6: swir 6@2209, 7: swir 7@2262, 8: swir 8@2336, 9: swir 9@2400",
    "TIR": "10: tir 10@8291, 11: tir 11@8634, 12: tir 12@9075, 13: tir 13@10657, 14: tir 14@11318",
}
STAC = Sensor(  # Common names of bands in STAC items, and Maxar's letters.
    "STAC",
    *_parse(
        "PAN: PAN, PANCHROMATIC: PAN, P: PAN, COASTAL: coastal@443, C: coastal, BLUE: blue@485, B: blue, "
        "GREEN: green@560, G: green, YELLOW: yellow@605, Y: yellow, RED: red@660, R: red, REDEDGE: red edge@725, "
        "RE: red edge, REDEDGE071: red edge 1@704, REDEDGE1: red edge 1, REDEDGE075: red edge 2@740, "
        "REDEDGE2: red edge 2, REDEDGE078: red edge 3@783, REDEDGE3: red edge 3, NIR: nir@830, N: nir, N2: nir2@908, "
        "NIR08: narrow nir@865, NIR09: water vapour@945, CIRRUS: cirrus@1375, SWIR16: swir1@1610, SWIR22: swir2@2200, "
        "LWIR: thermal 1@10900, LWIR11: thermal 1, LWIR12: thermal 2@12000"
    ),
)
_SWIR = _parse(
    "S1: swir S1@1210, S2: swir S2@1570, S3: swir S3@1660, S4: swir S4@1730, S5: swir S5@2165, S6: swir S6@2205, "
    "S7: swir S7@2260, S8: swir S8@2330"
)
_WORLDVIEW_3 = {**_WORLDVIEW[0], **_SWIR[0]}, {**_WORLDVIEW[1], **_SWIR[1]}
_NUMBERED = "1: blue@485, 2: green@560, 3: red@660, 4: nir@830"  # Fits many sensors within 15 nm.


_END = r"(?![A-Za-z0-9])"  # Words of other tools may follow a name.


def _match_landsat(number: int) -> str:
    short = rf"(?<!\w)L_?0?{number}(?!\d)"  # It also stands for other things inside a name.
    return rf"(?:{short}|(?:LC|LE|LO|LANDSAT)_?0?{number}(?:(?!\d)|\d{{13}}))(?:_L1\w+?_(?P<place>\d{{6}})_\d{{8}}_)?"


FAMILIES = (
    Family(
        "Landsat 7/8/9, EO-1 ALI",
        "`*_MTL.txt`, `.xml` or `.json`, of EO-1 `*_MTL_L1T.TXT`; without it, the files' names",
        "Landsat: reflective bands without cirrus, of level 2 surface reflectance; ALI: the nine bands of 30 m",
        (
            Sensor("Landsat 7", *_ETM, spacecraft="LANDSAT_?7$", files=_match_landsat(7)),
            Sensor(  # Its bands 6.2, 7 and 8 begin with L72.
                "Landsat 7", *_ETM, files=r"L7[12](?P<scene>\d{6}_\d{11})_B(?P<token>[1-578]0|6[12])" + _END
            ),
            Sensor("Landsat 8", *_OLI, spacecraft="LANDSAT_?8$", files=_match_landsat(8)),
            Sensor("Landsat 9", *_OLI, spacecraft="LANDSAT_?9$", files=_match_landsat(9)),
            Sensor("EO-1 ALI", *_ALI, spacecraft="EO", files=r"(?P<scene>EO1A\w+?)_B0?(?P<token>\d+)_L1[A-Z]+" + _END),
        ),
        r".*MTL(_L1\w+)?( ?\(\d+\))?\.(txt|xml|json)$",
        read_mtl,
    ),
    Family(
        "WorldView-2/3/4, GeoEye-1, QuickBird, IKONOS",
        "`.IMD`; `.TIL` lists the tiles",
        "as the `.IMD` lists them",
        (
            Sensor("QuickBird", *_parse("B: blue@485, G: green@560, R: red@660, N: nir@830"), (0.22, 0.34), "QB02"),
            Sensor("IKONOS", *_parse("B: blue@480, G: green@551, R: red@665, N: nir@805"), (0.26, 0.29), "IK01"),
            Sensor("GeoEye-1", *_GEOEYE, (0.23, 0.23), "GE01"),
            Sensor("WorldView-1", spacecraft="WV01"),
            Sensor("WorldView-2", *_WORLDVIEW, (0.27, 0.35), "WV02"),
            Sensor("WorldView-3", *_WORLDVIEW_3, (0.315, 0.365), "WV03"),
            Sensor("WorldView-4", *_GEOEYE, (0.23, 0.23), "WV04"),
        ),
        r".*\.imd$",
        read_imd,
    ),
    Family(
        "Pleiades, Pleiades Neo, SPOT 6/7",
        "`DIM_*.XML` lists the tiles",
        "red, green, blue, near infrared; Neo has two more",
        (
            Sensor("Pleiades", *_parse("B2: red@650, B1: green@560, B0: blue@490, B3: nir@840"), None, "PHR"),
            Sensor(
                "Pleiades Neo",
                *_parse("R: red@655, G: green@560, B: blue@485, NIR: nir@825, RE: red edge@725, DB: deep blue@425"),
                None,
                "PNEO",
            ),
            Sensor(
                "SPOT 6/7", *_parse("B2: red@660, B1: green@560, B0: blue@490, B3: nir@825"), spacecraft="S6|S7|SPOT"
            ),
        ),
        r"(?:.*/)?(?:[^/]*[_\-. ])?dim_[^/]*\.xml$",
        read_dimap,
    ),
    Family(
        "KOMPSAT-2/3/3A",
        "names `MSC_*`, `K3_*`, `K3A_*`",
        "blue, green, red, near infrared",
        (
            Sensor(
                "KOMPSAT-2",
                *_parse(f"P: PAN, {_NUMBERED}"),
                files=r"(?P<scene>MSC_\d+_\d+_\d+)M?(?P<token>P|[1-4])[A-Z]{1,2}\d\d_1[A-Z]" + _END,
            ),
            Sensor(
                "KOMPSAT-3",
                *_parse("P: PAN, B: blue@485, G: green@560, R: red@660, N: nir@830"),
                files=r"(?P<scene>K3A?_.*?)_(?P<token>PAN|MS|[PBGRN])" + _END,
            ),
        ),
    ),
    Family(
        "CBERS-4A WPM, CBERS-4 PAN",
        "names `CBERS_4A_WPM_*_BAND0` to `4`, `CBERS_4_PAN5M_*`, `CBERS_4_PAN10M_*`",
        "by their numbers",
        (
            Sensor(
                "CBERS-4A WPM",
                *_parse(f"0: PAN, {_NUMBERED}"),
                files=r"(?P<scene>CBERS_?4A_WPM_.*?)_BAND(?P<token>\d)" + _END,
            ),
            Sensor(
                "CBERS-4 PAN",
                *_parse("1: PAN, 2: green@560, 3: red@660, 4: nir@830"),
                files=r"(?P<scene>CBERS_?4_PAN(?:5|10)M_.*?)_BAND(?P<token>\d)" + _END,
            ),
        ),
    ),
    Family(
        "GaoFen-1/2/6/7",
        "names `GF*-PAN1`, `GF*-MSS1`, `-MUX`",
        "blue, green, red, near infrared",
        (
            Sensor(
                "GaoFen",
                *_parse(_NUMBERED),
                files=r"(?P<scene>GF\d\w*_.*?)[-_](?:BWD)?(?P<token>PAN|MSS|MUX)\d?" + _END,
            ),
        ),
    ),
    Family(
        "SkySat",
        "names `*_ssc*_panchromatic*`, `*_analytic*`",
        "blue, green, red, near infrared",
        (
            Sensor(
                "SkySat",
                *_parse("1: blue@470, 2: green@560, 3: red@645, 4: nir@800"),
                files=r"(?P<scene>\d{8}_\d{6}_ssc\d\w*?)_(?:ortho_)?(?P<token>PANCHROMATIC|ANALYTIC)" + _END,
            ),
        ),
    ),
    Family(
        "Sentinel-2",
        "`MTD_MSIL1C.xml`, `MTD_MSIL2A.xml`, before 2016 `S2A_OPER_MTD_*.xml`; without it, the files' names",
        "all; those of 10 m guide those of 20 and 60 m",
        (
            Sensor(
                "Sentinel-2",
                *_MSI,
                files=r"(?P<scene>(?:\w*_)?T\d\d[A-Z]{3}(?:_\d{8}T\d{6})?)_(?:B(?P<token>0[2348](?=_10m$|$)"
                r"|(?:0[567]|8A|1[12])(?=_20m$|$)|(?:01|09|10)(?=_60m$|$))(?:_\d0m)?"
                r"|B\d[\dA]_\d0m|[A-Z]{3}(?:_\d0m)?)$",
            ),
        ),
        r"(?:.*/)?(?:MTD_MSIL(?:1C|2A)|S2\w_\w{4}_MTD_SAFL(?:1C|2A)_\w+)\.xml$",
        read_safe,
    ),
    Family(
        "ASTER L1T",
        "names `AST_L1T_*_ImageData1`, `_VNIR_Band1`, `_VNIR`",
        "all; those of 15 m guide those of 30 and 90 m",
        (
            Sensor(
                "ASTER",
                *_parse(", ".join(_ASTER.values())),
                files=r"(?P<scene>AST_?L1.*?)_(?:(?:VNIR|SWIR|TIR)_)?(?:Swath_)?"
                r"(?:ImageData|Band|B)0*(?P<token>3N|1[0-4]|[1-9])$",
            ),
            *(
                Sensor(
                    "ASTER", *_parse(bands), files=rf"(?P<scene>AST_?L1.*?)_(?P<several>{name[0]}|{name})(?P<token>)$"
                )
                for name, bands in _ASTER.items()
            ),
        ),
    ),
)
