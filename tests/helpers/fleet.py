"""Where GDAL finds an object store."""

from __future__ import annotations

from osgeo import gdal

UNSET = "AWS_SESSION_TOKEN", "AWS_PROFILE"


def point(monkeypatch, address):
    """Have GDAL find the store at an address, with credentials where it looks for them."""
    gdal.VSICurlClearCache()
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_S3_ENDPOINT": address,
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
