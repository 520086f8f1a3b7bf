"""Set-up of all tests: the checkout, threads, records of runs, the end of QGIS."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path

import otfm_pansharpen
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
if Path(otfm_pansharpen.__file__).resolve().parent != ROOT:
    pytest.exit(f"otfm_pansharpen is imported from {otfm_pansharpen.__file__}, not from {ROOT}: run scripts/test.sh", 1)

WORKER = os.environ.get("PYTEST_XDIST_WORKER")  # of tests that run in parallel: one thread and one QGIS profile each
if WORKER:
    os.environ["QGIS_CUSTOM_CONFIG_PATH"] = os.path.join(os.environ["QGIS_CUSTOM_CONFIG_PATH"], WORKER)
torch.set_num_threads(1 if WORKER else min(2, torch.get_num_threads()))


class AbsentGis:
    """Skip the test files that import GDAL or QGIS where these are not installed, as on Windows without QGIS."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("osgeo", "qgis"):
            pytest.skip(f"{name} is not installed", allow_module_level=True)


sys.meta_path.append(AbsentGis())


@pytest.fixture(scope="session", autouse=True)
def state_of_the_tests_alone(tmp_path_factory):
    """Records of runs lie in a folder of the tests, also for processes that they start. No index of torch is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setattr("otfm_pansharpen.engine.installation.CPU_INDEX", "http://127.0.0.1:9/cpu")  # nothing answers
        yield


@pytest.fixture(autouse=True)
def errors_in_slots_fail_the_test(monkeypatch):
    """Qt ends the process at an error in a slot, unless Python has a hook for it, as in QGIS."""
    errors: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: errors.append("".join(traceback.format_exception(*error))))
    yield
    assert errors == []


@pytest.fixture
def four_band_pair(tmp_path):
    """Write a pair to cut products of four bands from."""
    from helpers.products import pair_for  # imports GDAL

    return pair_for(tmp_path / "pair4", 4, 4)


@pytest.fixture
def landsat_pair(tmp_path):
    """Write a pair to cut products of Landsat from."""
    from helpers.products import pair_for  # imports GDAL

    return pair_for(tmp_path / "pair7", 7, 2)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    """Before QGIS ends with the last test: GDAL crashes on datasets, held by old errors, that are freed after it."""
    if nextitem is None:
        for name in ("last_type", "last_value", "last_traceback"):  # of errors that QGIS printed: they hold layers
            sys.__dict__.pop(name, None)
        gc.collect()
