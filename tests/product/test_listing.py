"""The files of folders and archives that somebody else packed."""

from __future__ import annotations

import re
import tarfile
import zipfile

import pytest
from helpers.products import packed
from otfm_pansharpen.model.errors import InputError
from otfm_pansharpen.model.product import listing
from otfm_pansharpen.model.raster.gdal_errors import gdal_exceptions


def test_listing_leaves_out_archive_names_outside_of_it(tmp_path):
    """Hidden files, and names that lead out of the archive or to another disk."""
    names = ["a/good_pan.tif", ".hidden_pan.tif", "a/.hidden/pan.tif", "C:/pan.tif"]
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as target:
        for name in names:
            target.writestr(name, b"x")
    with tarfile.open(tmp_path / "p.tar", "w") as target:
        (tmp_path / "x").write_bytes(b"x")
        for name in [*names, "../out_pan.tif"]:
            target.add(tmp_path / "x", name)
    for archive in ("p.zip", "p.tar"):
        with gdal_exceptions():
            listed = listing.of_archive(str(tmp_path / archive), lambda: None)
        assert listed.files == ("a/good_pan.tif",)


@pytest.mark.parametrize("form", ["folder", ".zip", ".tar.gz"])
def test_more_files_than_a_product_has_are_refused(tmp_path, monkeypatch, form):
    monkeypatch.setattr(listing, "MAX_FILES", 3)
    (tmp_path / "in").mkdir()
    read = listing.of_folder if form == "folder" else listing.of_archive
    for count in (3, 4):
        for number in range(count):
            (tmp_path / "in" / f"{number}.txt").write_text("x")
        source = tmp_path / "in" if form == "folder" else packed(tmp_path / "in", tmp_path / f"{count}{form}")
        with gdal_exceptions():
            if count == 3:
                assert len(read(str(source), lambda: None).files) == 3
            else:
                with pytest.raises(InputError, match=re.escape(f"{source} holds more than 3 files")):
                    read(str(source), lambda: None)
