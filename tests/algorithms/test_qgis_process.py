"""The algorithm as scripts call it: qgis_process, its exit codes and what it leaves on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.landsat import landsat
from helpers.products import packed, pair_for
from helpers.safe import BANDS, RATIOS, Safe
from helpers.scenes import Recipe, load_image, save
from osgeo import gdal

PROGRAM = os.environ.get("QGIS_PROCESS") or shutil.which("qgis_process.bin") or shutil.which("qgis_process") or ""
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not PROGRAM, reason="qgis_process is not installed")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Make a QGIS profile of its own, with the plugin enabled."""
    home = tmp_path_factory.mktemp("qgis")
    (home / "plugins").mkdir()
    (home / "plugins" / "otfm_pansharpen").symlink_to(ROOT)
    variables = {**os.environ, "QGIS_PLUGINPATH": str(home / "plugins"), "QGIS_CUSTOM_CONFIG_PATH": str(home)}
    subprocess.run([PROGRAM, "plugins", "enable", "otfm_pansharpen"], env=variables, capture_output=True, check=True)
    return variables


def qgis(environment, *words):
    return subprocess.run([PROGRAM, *map(str, words)], env=environment, capture_output=True, text=True, check=False)


def run(environment, pair, output, *more):
    return qgis(
        environment, "run", "otfm:pansharpen", "--", f"PAN={pair.pan}", f"MS={pair.ms}", f"OUTPUT={output}", *more
    )


def test_listed_and_helped(environment):
    listed = qgis(environment, "list").stdout
    assert all(f"otfm:{name}" in listed for name in ("pansharpen", "preview", "setup"))
    assert "deprecated" not in qgis(environment, "run", "otfm:setup", "--", "ACTION=check").stdout
    text = qgis(environment, "help", "otfm:pansharpen").stdout
    assert all(name in text for name in ("PAN", "MS", "QUALITY", "DEVICE", "PRECISION", "EXTENT", "MEMORY", "OUTPUT"))


@pytest.mark.promise(18)
def test_text_run(environment, tmp_path):
    pair = Recipe(bands=4).write(tmp_path)
    done = run(environment, pair, tmp_path / "out.tif", "DEVICE=cpu", "PRECISION=fp32")
    assert done.returncode == 0, done.stderr
    assert load_image(tmp_path / "out.tif").shape == pair.reference.shape
    assert "Measured shift" in done.stdout
    assert "WEIGHTS_SHA256" in done.stdout


@pytest.mark.slow
def test_memory_and_tile_are_read(environment, tmp_path):
    pair = Recipe(bands=4).write(tmp_path)
    done = run(environment, pair, tmp_path / "out.tif", "DEVICE=cpu", "MEMORY=256", "TILE=64")
    assert done.returncode == 0, done.stderr
    assert "Tiles of 64 pixels" in done.stdout
    assert "in 256 MB" in done.stdout


def test_defaults_of_the_options_are_read(environment, tmp_path):
    settings = tmp_path / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text("[PythonPlugins]\notfm_pansharpen=true\n\n[otfm]\ndevice=cpu\nmemory=300\n", encoding="utf-8")
    pair = Recipe(bands=3).write(tmp_path)
    done = run({**environment, "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path)}, pair, tmp_path / "out.tif")
    assert done.returncode == 0, done.stderr
    assert "in 300 MB" in done.stdout


@pytest.mark.slow
def test_tuning_is_read(environment, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=320, width=320).write(tmp_path)
    kept = tmp_path / "kept.safetensors"
    done = run(
        environment,
        pair,
        tmp_path / "out.tif",
        "DEVICE=cpu",
        "QUALITY=tuned",
        "MINUTES=0.05",
        f"WEIGHTS_OUT={kept}",
        "SEED=3",
    )
    assert done.returncode == 0, done.stderr
    assert "Tuned on this scene" in done.stdout
    assert kept.exists()


@pytest.mark.promise(18)
def test_json_run(environment, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    words = (
        "--json",
        "run",
        "otfm:pansharpen",
        "--",
        f"PAN={pair.pan}",
        f"MS={pair.ms}",
        f"OUTPUT={tmp_path / 'o.tif'}",
    )
    done = qgis(environment, *words)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["RATIO"] == 2
    assert Path(results["OUTPUT"]).is_file()


@pytest.mark.slow
def test_finetune_then_pansharpen(environment, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=320, width=320).write(tmp_path)
    tuned, report = tmp_path / "own.safetensors", tmp_path / "own.html"
    inputs = (f"PAN={pair.pan}", f"MS={pair.ms}")
    words = (
        "--json",
        "run",
        "otfm:finetune",
        "--",
        *inputs,
        "STEPS=3",
        "START=fast",
        f"OUTPUT={tuned}",
        f"REPORT={report}",
    )
    done = qgis(environment, *words)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["ERGAS_AFTER"] <= results["ERGAS_BEFORE"]
    assert Path(results["REPORT"]).read_text().startswith("<!DOCTYPE html>")
    done = run(environment, pair, tmp_path / "out.tif", f"QUALITY={tuned}")
    assert done.returncode == 0, done.stderr
    assert "fine-tuned from fast" in done.stdout


@pytest.mark.slow
@pytest.mark.promise(20)
def test_finetune_killed_leaves_the_old_file(environment, tmp_path):
    """SIGKILL in the middle of training: the file of an earlier run is unchanged, and nothing is next to it."""
    pair = Recipe(bands=3, ratio=2, height=320, width=320).write(tmp_path)
    tuned = tmp_path / "own.safetensors"
    tuned.write_bytes(b"from an earlier run")
    before = contents(tmp_path)
    words = ["run", "otfm:finetune", "--", f"PAN={pair.pan}", f"MS={pair.ms}", "MINUTES=1", f"OUTPUT={tuned}"]
    with subprocess.Popen([PROGRAM, *words], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        while "Step" not in (line := process.stdout.readline()):
            assert line or process.poll() is None
        process.kill()
    assert process.returncode != 0
    assert contents(tmp_path) == before


@pytest.mark.slow
@pytest.mark.promise(9)
def test_ctrl_c_is_received_while_nothing_moves(environment, tmp_path):
    """The engine is held still in the middle of its work, so that only QGIS itself can hear it."""
    pair = Recipe(height=640, width=640).write(tmp_path)
    words = ["run", "otfm:pansharpen", "--", f"PAN={pair.pan}", f"MS={pair.ms}", f"OUTPUT={tmp_path / 'out.tif'}"]
    with subprocess.Popen(
        [PROGRAM, *words], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout
        while "finest detail" not in (line := process.stdout.readline()):
            assert line or process.poll() is None
        child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[-1])
        os.kill(child, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        try:
            log, _ = process.communicate(timeout=120)
        finally:
            process.kill()
            if Path(f"/proc/{child}").exists():
                os.kill(child, signal.SIGKILL)
    assert process.returncode == 1
    assert "Cancelled by the user" in log
    assert not (tmp_path / "out.tif").exists()


def test_finetune_of_a_scene_too_small_is_one_sentence(environment, tmp_path):
    pair = Recipe(bands=3, ratio=2, height=160, width=160).write(tmp_path)
    before = contents(tmp_path)
    done = qgis(
        environment, "run", "otfm:finetune", "--", f"PAN={pair.pan}", f"MS={pair.ms}",
        f"OUTPUT={tmp_path / 'own.safetensors'}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "at least 96 x 96" in done.stdout + done.stderr
    assert contents(tmp_path) == before


def contents(folder):
    """Read files with their bytes, without the statistics that QGIS itself keeps next to rasters it opens."""
    return {p: p.read_bytes() for p in folder.iterdir() if not p.name.endswith(".aux.xml")}


def swap(pair):
    pair.pan, pair.ms = pair.ms, pair.pan


def remove(pair):
    pair.ms.unlink()


def truncate(pair):
    pair.ms.write_bytes(pair.ms.read_bytes()[:9000])


def move(pair):
    save(pair.ms, load_image(pair.ms), transform=(9e5, 8, 0, 4e6, 0, -8))


def rotate(pair):
    save(pair.ms, load_image(pair.ms), transform=(5e5, 8, 1, 4e6, 1, -8))


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        (swap, "out.tif", "swapped"),
        (remove, "out.tif", "ms.tif"),
        (truncate, "out.tif", "ms.tif"),
        (move, "out.tif", "do not overlap"),
        (rotate, "out.tif", "rotated"),
        (None, "out.notaformat", ".notaformat"),
        (None, "ms.tif", "is the input"),
    ],
)
def test_bad_input_is_one_sentence_exit_code_1_and_no_file(environment, tmp_path, spoil, name, words):
    pair = Recipe(height=320, width=320).write(tmp_path)
    if spoil:
        spoil(pair)
    before = contents(tmp_path)
    done = run(environment, pair, tmp_path / name)
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert contents(tmp_path) == before


def test_weights_that_do_not_fit(environment, tmp_path):
    pair = Recipe().write(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"junk")
    done = run(environment, pair, tmp_path / "out.tif", f"QUALITY={tmp_path / 'bad.safetensors'}")
    assert done.returncode == 1
    assert "bad.safetensors is not a valid safetensors file" in done.stdout + done.stderr
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.slow
@pytest.mark.promise(16)
def test_without_torch_it_is_listed_and_says_how_to_install(environment, tmp_path):
    pair = Recipe().write(tmp_path)
    hidden = tmp_path / "hidden" / "torch"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError('hidden', name='torch')")
    without = {**environment, "PYTHONPATH": f"{hidden.parent}:{environment.get('PYTHONPATH', '')}"}
    assert "otfm:pansharpen" in qgis(without, "list").stdout
    done = run(without, pair, tmp_path / "out.tif")
    assert done.returncode == 1
    assert "Set up the engine (otfm:setup)" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.slow
def test_ms_as_one_raster_a_band(environment, tmp_path):
    pair = Recipe(bands=3, ratio=2).write(tmp_path)
    files = [
        save(tmp_path / f"B{n}.tif", b[None], transform=(5e5, 4, 0, 4e6, 0, -4))
        for n, b in enumerate(load_image(pair.ms))
    ]
    words = [f"MS={files[0]}", *(f"MS_MORE={f}" for f in files[1:]), f"OUTPUT={tmp_path / 'out.tif'}"]
    done = qgis(environment, "run", "otfm:pansharpen", "--", f"PAN={pair.pan}", *words)
    assert done.returncode == 0, done.stderr
    assert "B0.tif, B1.tif, B2.tif" in done.stdout
    assert load_image(tmp_path / "out.tif").shape == pair.reference.shape


@pytest.mark.slow
@pytest.mark.promise(18)
def test_a_product_from_the_command_line(environment, tmp_path):
    name = landsat(tmp_path / "in", pair_for(tmp_path / "pair", 7, 2))
    parameters = (f"INPUT={tmp_path / 'in'}", f"OUTPUT={tmp_path / 'out'}", "BANDS=natural colour")
    done = qgis(environment, "--json", "run", "otfm:product", "--", *parameters)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["SHARPENED"] == 1
    assert len(load_image(tmp_path / "out" / f"{name}_sharp.tif")) == 3
    done = qgis(environment, "run", "otfm:product", "--", *parameters)
    assert done.returncode == 0, done.stderr
    assert "was made from the same files with the same settings" in done.stdout


@pytest.mark.promise(2)
def test_a_product_that_is_none(environment, tmp_path):
    (tmp_path / "in").mkdir()
    done = qgis(environment, "run", "otfm:product", "--", f"INPUT={tmp_path / 'in'}", f"OUTPUT={tmp_path / 'out'}")
    assert done.returncode == 1
    assert "Found: nothing" in done.stdout + done.stderr


@pytest.mark.promise(18)
def test_an_assessment_from_the_command_line(environment, tmp_path):
    pair = Recipe(bands=4, ratio=4).write(tmp_path)
    fused, report = save(tmp_path / "fused.tif", pair.reference), tmp_path / "report.html"
    words = ("run", "otfm:assess", "--", f"PAN={pair.pan}", f"MS={pair.ms}", f"FUSED={fused}", f"REPORT={report}")
    done = qgis(environment, "--json", *words)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["FAULTS"] == ""
    assert Path(results["REPORT"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.promise(18)
@pytest.mark.parametrize(("level", "form"), [("L1C", "folder"), ("L2A", "zip"), ("L1C", "zip"), ("L2A", "folder")])
def test_sentinel2_runs_as_folder_and_archive(environment, tmp_path, level, form):
    safe = Safe(level, "04.00", side=240, cloud=np.s_[60:120, 120:180])
    place = safe.write(tmp_path / "in")
    if form == "zip":
        place = packed(tmp_path / "in", tmp_path / "S2.SAFE.zip")
    done = qgis(environment, "run", "otfm:product", "--", f"INPUT={place}", f"OUTPUT={tmp_path}/out", "DEVICE=cpu")
    assert done.returncode == 0, done.stderr
    assert "6.2 %, are sharpened but not measured" in done.stdout
    dataset = gdal.Open(str(tmp_path / "out" / f"{safe.name}_sharp.tif"))
    bands = [b for b in BANDS if b in safe.images]
    assert [dataset.GetRasterBand(n).GetDescription().split()[0] for n in range(1, len(bands) + 1)] == bands
    for number, band in enumerate(bands, start=1):
        written = dataset.GetRasterBand(number)
        reflectance = written.ReadAsArray() * written.GetScale() + written.GetOffset()
        if RATIOS[band] == 1:
            np.testing.assert_array_equal(reflectance, safe.images[band] * 0.0001 - 0.1)
        assert 0.0 < np.median(reflectance[20:]) < 0.4
