"""One set of weights per sensor, tuned on scenes drawn over the whole list: each sensor is a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import join

import numpy as np
from distributed import Client, as_completed

from ..model.errors import InputError
from ..model.finetuning.finetune import finetune
from ..model.finetuning.job import FinetuneJob, TuningPair
from ..model.raster.gdal_errors import gdal_exceptions
from ..model.wording import format_figure
from .job import FleetScene, Settings
from .run import check_workers, prepare_worker
from .scene_plan import fetch_weights, sources
from .storage import finished


def tune_fleet(
    client: Client, scenes: Sequence[FleetScene], settings: Settings, folder: str, count: int, minutes: float, seed: int
) -> Iterator[tuple[str, bool]]:
    """Write SENSOR.safetensors for every sensor of the list; yields a sentence for each, and whether it went well.

    Raises InputError where no scene names its sensor.
    """
    check_workers(client, settings)
    futures = {
        client.submit(
            tune_sensor, chosen, settings, join(folder, f"{sensor}.safetensors"), minutes, seed,
            key=f"tune {sensor}", pure=False, resources={"GPU": 1} if settings.options.device == "cuda" else None,
        ): sensor
        for sensor, chosen in drawn(scenes, count, seed).items()
    }  # fmt: skip
    for future in as_completed(futures):
        error = future.exception()
        yield (f"{futures[future]} failed: {error}", False) if error else (future.result(), True)


def drawn(scenes: Sequence[FleetScene], count: int, seed: int) -> dict[str, list[FleetScene]]:
    """Draw at most `count` scenes of each sensor at random. Raises InputError."""
    groups: dict[str, list[FleetScene]] = defaultdict(list)
    for scene in scenes:
        if scene.sensor:
            groups[scene.sensor].append(scene)
    if not groups:
        raise InputError("No scene of the list names its sensor. Add the column sensor: weights are tuned for each.")
    rng = np.random.default_rng(seed)
    return {
        sensor: [group[i] for i in sorted(rng.permutation(len(group))[:count])]
        for sensor, group in sorted(groups.items())
    }


def tune_sensor(
    scenes: Sequence[FleetScene], settings: Settings, output: str, minutes: float, seed: int, steps: int | None = None
) -> str:
    """Tune on scenes of one sensor and write the weights; returns a sentence with the gain. Raises PansharpenError."""
    prepare_worker()
    with gdal_exceptions(), finished(output) as local:
        pairs = tuple(TuningPair(*sources(s, settings)) for s in scenes)
        start = Path(fetch_weights(settings.weights_for(scenes[0])))
        result = finetune(FinetuneJob(pairs, local, start, minutes, steps, device=settings.options.device, seed=seed))
    what = "the tuned weights" if result.improved else "the start weights, which stayed the best"
    return (
        f"{output}: {what}, from {len(scenes)} scenes; ERGAS of the held-out blocks "
        f"{format_figure(result.before['ergas'], '.4f')} before, {format_figure(result.after['ergas'], '.4f')} after."
    )
