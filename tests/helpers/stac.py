"""STAC items of the documented structure, as catalogues publish them; all values are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def asset(href: str, *bands: tuple[str, str, float], roles: tuple[str, ...] = ("data",), **more: Any) -> dict[str, Any]:
    """Make an asset with bands (name, common name, wavelength in micrometres)."""
    entries = [
        {"name": name, **({"common_name": common} if common else {}), "center_wavelength": centre,
         "full_width_half_max": 0.03, "description": f"Band {name}"}
        for name, common, centre in bands
    ]  # fmt: skip
    kind = "image/tiff; application=geotiff; profile=cloud-optimized"
    listed = {"eo:bands": entries} if entries else {}
    return {"href": href, "type": kind, "title": f"Asset {href}", "roles": list(roles), **listed, **more}


def write_item(path: Path, assets: Mapping[str, Any], name: str = "scene", **properties: Any) -> Path:
    """Write an item with what catalogues add: links, thumbnails, metadata files."""
    extra = {
        "thumbnail": {"href": "thumb.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
        "visual": asset("visual.tif", ("red", "red", 0.66), ("green", "green", 0.56), ("blue", "blue", 0.48),
                        roles=("visual",)),
        "MTL.txt": {"href": "MTL.txt", "type": "text/plain", "roles": ["metadata"]},
        "qa_pixel": {"href": "QA.TIF", "type": "image/vnd.stac.geotiff", "roles": ["cloud", "cloud-shadow"]},
        "VAA": {"href": "VAA.TIF", "type": "image/vnd.stac.geotiff", "roles": ["metadata"]},
    }  # fmt: skip
    item = {
        "type": "Feature", "stac_version": "1.0.0", "id": name,
        "stac_extensions": [f"https://stac-extensions.github.io/{e}/v1.1.0/schema.json" for e in ("eo", "raster")],
        "properties": {"datetime": "2022-06-15T10:15:59Z", "created": "2022-06-16T00:00:00Z", "gsd": 30,
                       "platform": "invented-1", "instruments": ["oli"], "eo:cloud_cover": 1.5, "proj:epsg": 32633,
                       **properties},
        "geometry": {"type": "Polygon", "coordinates": [[[15, 36], [15.1, 36], [15.1, 36.1], [15, 36]]]},
        "bbox": [15.0, 36.0, 15.1, 36.1],
        "links": [{"rel": "self", "href": f"https://example.com/items/{name}"},
                  {"rel": "collection", "href": "https://example.com/c", "type": "application/json"}],
        "assets": {**extra, **assets}, "collection": "invented",
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(item))
    return path
