"""Weights for a sensor: drawn scenes, one set, used by the scenes of that sensor."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.finetuning import SENSOR, start
from otfm_pansharpen.fleet.job import FleetScene, Settings
from otfm_pansharpen.fleet.tuning import drawn, tune_sensor
from otfm_pansharpen.model.errors import InputError, WeightsError
from otfm_pansharpen.model.network.weights import load_weights


def test_scenes_to_tune_on_are_drawn_by_sensor():
    scenes = [FleetScene(str(n), "", sensor=s) for n, s in enumerate(["WV-2"] * 9 + ["SPOT"] * 2 + [""])]
    groups = drawn(scenes, 4, seed=1)
    assert {s: len(g) for s, g in groups.items()} == {"SPOT": 2, "WV-2": 4}
    assert drawn(scenes, 4, seed=1) == groups
    assert drawn(scenes, 4, seed=2) != groups
    with pytest.raises(InputError, match="Add the column sensor"):
        drawn([FleetScene("a", "")], 4, seed=1)


def test_scenes_of_a_sensor_make_one_set_that_its_scenes_use(tmp_path):
    scenes = []
    for number in range(2):
        pair_folder = tmp_path / str(number)
        pair_folder.mkdir()
        pair = SENSOR.write(pair_folder)
        scenes.append(
            FleetScene(str(number), str(tmp_path / f"{number}_sharp.cog.tif"), str(pair.pan), str(pair.ms), "WV-2")
        )
    weights = tmp_path / "weights"
    settings = Settings(weights=str(start(tmp_path)))
    sentence = tune_sensor(scenes, settings, str(weights / "WV-2.safetensors"), 1.0, 1, steps=2)
    assert "from 2 scenes; ERGAS of the held-out blocks" in sentence
    used = Settings(weights=str(weights)).weights_for(scenes[0])
    assert load_weights(Path(used)).network.config.width == 8
    with pytest.raises(WeightsError, match=r"has no weights SPOT.safetensors for other"):
        Settings(weights=str(weights)).weights_for(FleetScene("other", "", sensor="SPOT"))
