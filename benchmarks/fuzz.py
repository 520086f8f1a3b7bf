"""Random pairs through the whole pipeline: each must give a correct raster or one sentence, and leave nothing else.

    python benchmarks/fuzz.py --count 2000 --seed 1

Sizes 1 to 300, ratios, data types, contents, nodata, grids, extents, formats and damaged bytes are drawn at random.
More than half of the cases give a raster. Runs happen in worker processes, so that a crash or a hang is one finding and
not the end. --sentences prints what was refused.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from fuzz_cases import draw
from fuzz_checks import wrong
from osgeo import gdal
from otfm_pansharpen.model.errors import PansharpenError
from otfm_pansharpen.model.fusion.job import FusionJob
from otfm_pansharpen.model.fusion.pipeline import fuse

LONGEST = 60.0  # seconds
CHUNK = 25  # pairs a worker process


class Through:
    """Runs jobs through layers of QGIS and `otfm:pansharpen`, as a user does."""

    def __init__(self) -> None:
        import otfm_pansharpen
        from qgis.core import QgsApplication

        self.application = QgsApplication([], False)
        self.application.initQgis()
        self.plugin = otfm_pansharpen.classFactory(None)
        self.plugin.initProcessing()
        self.algorithm = self.application.processingRegistry().algorithmById("otfm:pansharpen")

    def __call__(self, job: FusionJob) -> None:
        from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback, QgsRasterLayer

        pan, ms = (QgsRasterLayer(source.path, "a raster") for source in (job.pan, job.ms))
        x0, y0, x1, y1 = job.extent or (0.0, 0.0, 0.0, 0.0)
        given = {
            "PAN": pan, "MS": ms, "OUTPUT": str(job.output), "DEVICE": "cpu", "PRECISION": "fp32", "TILE": job.tile,
            "EXTENT": f"{x0},{x1},{y0},{y1}" if job.extent else None, "DATA_TYPE": job.data_type or "as MS",
            "ALIGN": "auto" if job.align else "off", "OVERVIEWS": job.overviews,
            "CREATE_OPTIONS": "|".join(job.creation_options),
        }  # fmt: skip
        context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
        try:
            passed = self.algorithm.run(given, context, feedback, {}, False)[1]
        except QgsProcessingException as error:
            if "Traceback" in str(error):
                raise RuntimeError(str(error)) from error
            raise PansharpenError(str(error)) from error
        if not passed:
            raise PansharpenError(feedback.textLog())


def work(first: int, count: int, seed: int, answers: multiprocessing.Queue, by_qgis: bool) -> None:
    """Run cases and put (number, outcome, detail) into the queue."""
    import torch

    run = Through() if by_qgis else fuse

    torch.set_num_threads(1)
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    for number in range(first, first + count):
        answers.put((number, "begun", ""))
        with tempfile.TemporaryDirectory() as name:
            case = draw(number, seed, Path(name))
            before = {p.name for p in Path(name).iterdir()}
            started = time.monotonic()
            try:
                run(case.job)
                fault = wrong(case)
                outcome, detail = ("wrong", fault) if fault else ("raster", "")
            except PansharpenError as error:
                outcome, detail = "sentence", str(error)
                left = {p.name for p in Path(name).iterdir()} - before
                if left:
                    outcome, detail = "left files", ", ".join(left)
            except BaseException:
                outcome, detail = "exception", traceback.format_exc()
            if time.monotonic() - started > LONGEST:
                outcome = "slow"
            if any(p.name.endswith(".part") for p in Path(name).iterdir()):
                outcome = "left files"
        answers.put((number, outcome, detail))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--sentences", action="store_true")
    parser.add_argument("--qgis", action="store_true", help="run through layers of QGIS")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    outcomes: Counter[str] = Counter()
    number, end = arguments.first, arguments.first + arguments.count
    while number < end:
        answers = context.Queue()
        worker = context.Process(
            target=work, args=(number, min(CHUNK, end - number), arguments.seed, answers, arguments.qgis)
        )
        worker.start()
        begun, last = number, min(number + CHUNK, end)
        while number < last:
            try:
                found, outcome, detail = answers.get(timeout=2 * LONGEST)
            except Exception:
                outcome, detail = ("crashed" if not worker.is_alive() else "hung"), f"exit code {worker.exitcode}"
                found = begun
            if outcome == "begun":
                begun = found
                continue
            outcomes[outcome] += 1
            number = found + 1
            if outcome not in ("raster", "sentence") or (arguments.sentences and outcome == "sentence"):
                print(f"case {found}: {outcome}: {detail}", flush=True)
            if outcome in ("crashed", "hung"):
                break
        worker.kill() if worker.is_alive() and number < last else worker.join()
    print(", ".join(f"{count} {name}" for name, count in outcomes.most_common()))
    sys.exit(0 if set(outcomes) <= {"raster", "sentence"} else 1)


if __name__ == "__main__":
    main()
