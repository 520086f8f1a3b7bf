"""Between measuring and planning: the weights tuned on the scene itself, where that was asked for and found to help."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..finetuning.finetune import finetune
from ..finetuning.job import FinetuneJob, TuningPair
from ..network.weights import Weights, load_weights
from ..progress import Progress
from . import run_log
from .check import CheckedPair
from .job import FusionJob
from .measure import ADAPTED, MEASURING_SHARE

NAME = "tuned.safetensors"


def adapted(job: FusionJob, pair: CheckedPair, weights: Weights, progress: Progress) -> Weights:
    """`weights` tuned on the whole scene, as its statistics are those of the whole, so that parts of it fit together.

    They are kept where `job.weights_out` says. Where nothing better is found, and where a scene cannot be tuned on,
    which is warned of, `weights` themselves. Raises PansharpenError.
    """
    with tempfile.TemporaryDirectory(prefix="otfm-") as folder:
        tuning = FinetuneJob(
            pairs=(TuningPair(job.pan, job.ms),), output=job.weights_out or Path(folder) / NAME, start=weights.path,
            minutes=job.adapt, steps=job.adapt_steps, device=job.device, seed=job.seed, keep=False,
        )  # fmt: skip
        room = ADAPTED - MEASURING_SHARE

        def explain(line: str) -> None:
            if folder not in line:  # which is gone when anybody reads it
                progress.explain(line)

        part = replace(progress, report=lambda s: progress.report(MEASURING_SHARE + room * s), log=explain)
        progress.log(run_log.tuning(job))
        try:
            found = finetune(tuning, part, [(pair.pan, pair.ms)])
        except InputError as error:
            progress.warn(run_log.not_tuned(error))
            return weights
        progress.log(run_log.tuned(found))
        if not found.improved:
            return weights
        progress.explain(run_log.tuned_weights(found))
        return load_weights(found.output)
