"""Archives that GDAL cannot read in place: they are named, with what to do."""

from __future__ import annotations

import tarfile

import pytest
from helpers.landsat import landsat
from helpers.products import named, only_product, pack_as, refusal


@pytest.mark.parametrize("ending", [".tar.bz2", ".tbz2", ".tar.xz", ".txz"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_archive_to_unpack_first_is_named_with_the_cure(tmp_path, four_band_pair, ending, as_folder):
    named(tmp_path / "in", four_band_pair, "a_pan.tif", "a_ms.tif")
    (tmp_path / "got").mkdir()
    archive = pack_as(tmp_path / "in", tmp_path / "got" / f"a{ending}")
    sentence = refusal(archive.parent if as_folder else archive, tmp_path / "out")
    assert f"a{ending} cannot be read without unpacking" in sentence
    assert "Unpack it, for example with 7-Zip or tar, and choose its folder." in sentence
    with tarfile.open(archive) as source:
        source.extractall(tmp_path / "unpacked")
    only_product(tmp_path / "unpacked")


@pytest.mark.parametrize("ending", [".7z", ".rar"])
def test_archives_that_newer_gdal_reads_are_named(tmp_path, ending):
    (tmp_path / f"a{ending}").write_bytes(b"made up")
    sentence = refusal(tmp_path, tmp_path.parent / f"{tmp_path.name} out")
    assert f"a{ending}" in sentence
    assert "Unpack it" in sentence or "Download it again" in sentence


def test_archive_of_what_is_unpacked_already_is_not_refused(tmp_path, landsat_pair):
    product = landsat(tmp_path / "in", landsat_pair)
    pack_as(tmp_path / "in", tmp_path / "in" / f"{product}.tar.bz2")
    assert only_product(tmp_path / "in").title == product


def test_single_compressed_bands_are_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "LC08_B4.TIF.gz").write_bytes(b"made up")
    assert "LC08_B4.TIF.gz cannot be read without unpacking" in refusal(tmp_path / "in", tmp_path / "out")
