"""The command, on two workers: killed and started again, and what its table says."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sys
import threading
import time

import numpy as np
import pytest
from helpers.fleet import zero
from helpers.fusion import run
from helpers.scenes import Recipe, load_image
from otfm_pansharpen.fleet.__main__ import main

SCENES = 4
QUICK = ("--tile", "64")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Write a list of four pairs and one whose MS is missing; what single runs make of the four."""
    folder, lines, expected = tmp_path_factory.mktemp("archive"), ["name,pan,ms"], []
    for number in range(SCENES):
        pair_folder = folder / str(number)
        pair_folder.mkdir()
        pair = Recipe(height=128, width=128, seed=number).write(pair_folder)
        expected.append(run(pair, pair_folder, tile=64)[0])
        lines.append(f"scene{number},{number}/pan.tif,{number}/ms.tif")
    lines.insert(2, "broken,0/pan.tif,none.tif")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    return folder, expected


def rows(folder):
    with (folder / "fleet.csv").open(newline="", encoding="utf-8") as file:
        return {r["scene"]: r for r in csv.DictReader(file)}


def kill_while_it_works(cluster, output, killed):
    """Kill a worker once the first scene is planned."""
    while not list(output.glob("*.plan.json")):
        time.sleep(0.01)
    process = next(iter(cluster.workers.values())).process
    killed.append(process.pid)
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.promise(4)
@pytest.mark.promise(10)
def test_a_killed_worker_and_a_broken_scene_cost_no_other(cluster, archive, tmp_path, capsys):
    folder, expected = archive
    output = tmp_path / "out"
    killed: list[int] = []
    killer = threading.Thread(target=kill_while_it_works, args=(cluster, output, killed), daemon=True)
    killer.start()
    words = [str(folder / "pairs.csv"), str(output), "--scheduler", cluster.scheduler_address, *QUICK]
    code = main(words)
    killer.join()
    assert killed
    assert code == 1
    for number in range(SCENES):
        assert np.array_equal(load_image(output / f"scene{number}_sharp.cog.tif"), expected[number])
    table = rows(output)
    assert [r["status"] for r in table.values()] == ["sharpened", "failed", *["sharpened"] * (SCENES - 1)]
    assert list(table) == ["scene0", "broken", *(f"scene{n}" for n in range(1, SCENES))]
    assert "none.tif cannot be opened" in table["broken"]["sentence"]
    assert float(table["scene0"]["ratio"]) == 4.0
    assert table["scene0"]["workers"]
    assert json.loads((output / "fleet.json").read_text())[0]["scene"] == "scene0"
    plans = {f"scene{n}_sharp.{e}" for n in range(SCENES) for e in ("cog.tif", "plan.json")}
    assert {p.name for p in output.iterdir()} == plans | {"fleet.csv", "fleet.json"}
    assert "5 scenes in" in capsys.readouterr().err

    written = {p: p.stat().st_mtime_ns for p in output.glob("*.cog.tif")}
    (output / "scene1_sharp.cog.tif").unlink()
    zero(output / "scene2_sharp.cog.tif")
    capsys.readouterr()
    main(words)
    again = rows(output)
    assert again["scene2"]["status"] == "sharpened"
    assert "scene2_sharp.cog.tif has changed since it was finished; it is made again" in again["scene2"]["sentence"]
    assert f"scene2: {again['scene2']['sentence']}" in capsys.readouterr().err
    assert np.array_equal(load_image(output / "scene2_sharp.cog.tif"), expected[2])
    assert again["scene0"]["status"] == again["scene3"]["status"] == "complete already"
    assert again["scene1"]["status"] == "sharpened"
    assert again["scene0"]["ergas"] == table["scene0"]["ergas"]
    assert written[output / "scene0_sharp.cog.tif"] == (output / "scene0_sharp.cog.tif").stat().st_mtime_ns


def test_gpu_that_no_worker_has_is_reported_at_once(cluster, archive, tmp_path, capsys):
    """Dask would wait for such a worker for ever."""
    words = [str(archive[0] / "pairs.csv"), str(tmp_path), "--scheduler", cluster.scheduler_address]
    assert main([*words, "--device", "cuda"]) == 1
    assert re.search(r"None of the \d workers has the resource GPU", capsys.readouterr().err)  # one may be restarting
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_command_says_what_to_install(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main([str(archive[0] / "pairs.csv"), str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("Dask is not installed")
    assert 'pip install --only-binary :all: ".[fleet]"' in message
    assert list(tmp_path.iterdir()) == []
