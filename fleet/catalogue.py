"""What points to parts that stay parts: a VRT, and a STAC item with the parts' checksums, which is written last."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from osgeo import gdal, osr

from ..model.product.run import INPUTS, SETTINGS
from ..model.raster.gdal_errors import gdal_exceptions
from .job import Scene
from .scene_plan import ScenePlan
from .storage import write_text

SHA256 = "1220"  # how a multihash of SHA-256 begins
EXTENSIONS = {
    "file": "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "projection": "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
}


@dataclass(frozen=True)
class CatalogueFile:
    """A part by its path, with its bytes and SHA-256."""

    path: str
    size: int
    sha256: str


def write_catalogue(made: ScenePlan, scene: Scene, parts: Sequence[CatalogueFile]) -> None:
    """Write the VRT and then the item. Raises PansharpenError."""
    files = [part.path for part in parts]
    inside = scene.beside("parts").rpartition("/")[2]
    with gdal_exceptions(), tempfile.TemporaryDirectory() as own:
        name = str(Path(own) / "made.vrt")
        dataset = gdal.BuildVRT(name, files)
        dataset.SetMetadata(made.facts)
        first = gdal.Open(files[0])
        for number in range(1, first.RasterCount + 1):
            dataset.GetRasterBand(number).SetDescription(first.GetRasterBand(number).GetDescription())
        dataset.FlushCache()
        item = _item(made, scene, dataset)
        del dataset
        text = Path(name).read_text(encoding="utf-8")
    for file in files:
        beside = f"{inside}/{file.rpartition('/')[2]}"
        text = text.replace(f'relativeToVRT="0">{file}<', f'relativeToVRT="1">{beside}<')
    write_text(scene.beside("vrt"), text)
    item["assets"] = {"vrt": {"href": f"./{scene.beside('vrt').rpartition('/')[2]}", "type": "application/xml"}}
    for part in parts:
        name = part.path.rpartition("/")[2]
        item["assets"][name] = {
            "href": f"./{inside}/{name}",
            "type": "image/tiff; application=geotiff",
            "roles": ["data"],
            "file:size": part.size,
            "file:checksum": SHA256 + part.sha256,
        }
    write_text(scene.output, json.dumps(item, indent=1))


def _item(made: ScenePlan, scene: Scene, dataset: gdal.Dataset) -> dict[str, Any]:
    """The item without its assets; the time is that of the scene where it is known, else that of its making."""
    t, width, height = dataset.GetGeoTransform(), dataset.RasterXSize, dataset.RasterYSize
    ends = [(t[0] + x * t[1] + y * t[2], t[3] + x * t[4] + y * t[5]) for x in (0, width) for y in (0, height)]
    corners = _in_degrees(dataset.GetSpatialRef(), [ends[i] for i in (0, 1, 3, 2)])
    when = f"{scene.date}T00:00:00Z" if scene.date else datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    ring = [*corners, *corners[:1]]
    x, y = zip(*corners) if corners else ((), ())
    system = dataset.GetSpatialRef()
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": list(EXTENSIONS.values()),
        "id": scene.name,
        "geometry": {"type": "Polygon", "coordinates": [ring]} if corners else None,
        **({"bbox": [min(x), min(y), max(x), max(y)]} if corners else {}),
        "properties": {
            "datetime": when,
            "proj:shape": [height, width],
            "proj:transform": [t[1], t[2], t[0], t[4], t[5], t[3]],
            "proj:wkt2": system.ExportToWkt(["FORMAT=WKT2_2019"]) if system else None,
            INPUTS: made.inputs,
            SETTINGS: made.settings,
            **made.provenance,
        },
        "links": [],
    }


def _in_degrees(system: osr.SpatialReference | None, points: list[tuple[float, float]]) -> list[list[float]]:
    """Longitude and latitude of points; none where they have no reference system."""
    if system is None:
        return []
    degrees = osr.SpatialReference()
    degrees.ImportFromEPSG(4326)
    own = system.Clone()
    for one in (own, degrees):
        one.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    moved = osr.CoordinateTransformation(own, degrees).TransformPoints(points)
    return [[round(x, 7), round(y, 7)] for x, y, _ in moved]
