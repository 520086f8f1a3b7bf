"""Scenes of a fleet without Dask, damage to the files it leaves, and where GDAL finds an object store."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from osgeo import gdal
from otfm_pansharpen.fleet.job import FLEET_OPTIONS, FleetScene, Settings
from otfm_pansharpen.fleet.scene import join_parts, make_part, plan_scene, read_plan

UNSET = "AWS_SESSION_TOKEN", "AWS_PROFILE"
TILES = Settings(options=replace(FLEET_OPTIONS, tile=64))
MEMORY = 1000  # MB, in which a tile of 64 pixels fits
MAX_ROUNDS = 3


def make_scene(pair, folder, ending="cog.tif"):
    return FleetScene("one", str(folder / f"one_sharp.{ending}"), str(pair.pan), str(pair.ms), date="2020-07-01")


def sharpen(scene, settings=TILES):
    """Plan, make and join as the fleet does; returns whether it was complete already, and the notices."""
    read_plan.cache_clear()  # as in a process that has not seen it
    plan = plan_scene(scene, settings, MEMORY)
    notices, missing = list(plan.notices), plan.missing
    if plan.complete:
        return True, notices
    for _ in range(MAX_ROUNDS):
        for number in reversed(missing):
            make_part(scene, settings, plan.digest, number)
        joined = join_parts(scene, settings, plan.digest)
        notices += joined.notices
        missing = joined.missing
        if not missing:
            return False, notices
    raise AssertionError(f"parts {missing} are missing after {MAX_ROUNDS} rounds")


def list_parts(folder) -> list[Path]:
    return sorted(Path(folder).glob("one_sharp.parts/*.tif"))


def zero(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(2 * len(data) // 3 - len(data) // 3)
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def make_folder(path):
    path.unlink()
    path.mkdir()


def link_elsewhere(path):
    """The content stays the same, but it is that of a file of somebody else."""
    other = path.parent.parent / f"somebody-elses-{path.name}"
    path.rename(other)
    path.symlink_to(other)


def dangle(path):
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


DAMAGE = [zero, cut, empty, make_folder, link_elsewhere, dangle, make_fifo]


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
