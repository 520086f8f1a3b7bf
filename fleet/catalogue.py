"""Index of parts that stay parts: a VRT, and a STAC item with the parts' checksums, which is written last."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from posixpath import basename

import pystac
from osgeo import gdal
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension

from ..model.raster.gdal_errors import gdal_exceptions
from .job import FleetScene
from .scene_plan import ScenePlan, VerifiedPart
from .storage import write_text

SHA256 = "1220"  # how a multihash of SHA-256 begins


def write_catalogue(made: ScenePlan, scene: FleetScene, parts: Sequence[VerifiedPart]) -> None:
    """Write the VRT and then the item. Raises PansharpenError."""
    files = {part.path: f"{basename(scene.name_sidecar('parts'))}/{basename(part.path)}" for part in parts}
    with gdal_exceptions(), tempfile.TemporaryDirectory() as folder:
        dataset = gdal.BuildVRT(f"{folder}/made.vrt", list(files))
        dataset.SetMetadata(dict(made.facts))
        first = gdal.Open(parts[0].path)
        for number in range(1, first.RasterCount + 1):
            dataset.GetRasterBand(number).SetDescription(first.GetRasterBand(number).GetDescription())
        dataset.FlushCache()
        item = _make_item(made, scene, dataset)
        del dataset
        text = Path(folder, "made.vrt").read_text(encoding="utf-8")
    for path, inside in files.items():
        written, relative = escape(path, quote=False), escape(inside, quote=False)
        text = text.replace(f'relativeToVRT="0">{written}<', f'relativeToVRT="1">{relative}<')
    write_text(scene.name_sidecar("vrt"), text)
    item.add_asset("vrt", pystac.Asset(f"./{basename(scene.name_sidecar('vrt'))}", media_type="application/xml"))
    for part in parts:
        asset = pystac.Asset(f"./{files[part.path]}", media_type=pystac.MediaType.GEOTIFF, roles=["data"])
        item.add_asset(basename(part.path), asset)
        FileExtension.ext(asset, add_if_missing=True).apply(size=part.size, checksum=SHA256 + part.sha256)
    values = item.to_dict(include_self_link=False, transform_hrefs=False)
    write_text(scene.output, json.dumps(values, indent=1))


def _make_item(made: ScenePlan, scene: FleetScene, dataset: gdal.Dataset) -> pystac.Item:
    """Make the item without its assets; the time is that of the scene where it is known, else that of its making."""
    about = gdal.Info(dataset, format="json")
    area = about.get("wgs84Extent")  # none without a reference system
    x, y = zip(*area["coordinates"][0]) if area else ((), ())
    when = datetime.now(timezone.utc)
    with suppress(ValueError):  # of a product that names no date, or something else
        when = datetime.fromisoformat(scene.date)
    bounds = [min(x), min(y), max(x), max(y)] if area else None
    item = pystac.Item(scene.name, area, bounds, when.replace(tzinfo=timezone.utc, microsecond=0), dict(made.facts))
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    t, system = dataset.GetGeoTransform(), dataset.GetSpatialRef()
    projection.shape = [dataset.RasterYSize, dataset.RasterXSize]
    projection.transform = [t[1], t[2], t[0], t[4], t[5], t[3]]
    projection.wkt2 = system.ExportToWkt(["FORMAT=WKT2_2019"]) if system else None
    return item
