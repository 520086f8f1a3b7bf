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
from .scene import Part, RefusedProduct, Sensor

Reader = Callable[[Listing, str, Tree, Sequence[Sensor]], Iterator[Part | RefusedProduct]]


@dataclass(frozen=True)
class Family:
    """A family of products.

    title       its name in help, messages and docs
    recognised  by which files, and `bands` which bands it has, both for docs/products.md
    metadata    pattern of metadata files' paths; without one, only names of images are read
    read        yields PAN and MS of a metadata file, from its listing, path, tree and sensors
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
    "6_VCID_1: thermal 1, 6_VCID_2: thermal 2"
)
_ALI = _parse(
    "1: PAN, 2: coastal@443, 3: blue@483, 4: green@565, 5: red@660, 6: nir@790, 7: nir2@868, 8: swir@1250, "
    "9: swir1@1650, 10: swir2@2215"
)
_GEOEYE = _parse("B: blue@480, G: green@545, R: red@672, N: nir@850")
_WORLDVIEW = _parse(
    "C: coastal@427, B: blue@478, G: green@546, Y: yellow@608, R: red@659, RE: red edge@724, N: nir@831, N2: nir2@908"
)
_SWIR = _parse(
    "S1: swir S1@1210, S2: swir S2@1570, S3: swir S3@1660, S4: swir S4@1730, S5: swir S5@2165, S6: swir S6@2205, "
    "S7: swir S7@2260, S8: swir S8@2330"
)
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
            Sensor("WorldView-3", *({**a, **b} for a, b in zip(_WORLDVIEW, _SWIR)), (0.315, 0.365), "WV03"),
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
)
