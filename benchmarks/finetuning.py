"""Fine-tuning on each pair <name>_pan.tif and <name>_ms.tif of a folder by itself: before and after, as a table.

    python benchmarks/finetuning.py FOLDER [--minutes 3] [--start fast] [--json FILE] [--zero-is-nodata NAME ...]

All figures are of the held-out blocks, which training never sees: the indices of model/quality/indices.py at reduced
resolution (Wald, the pair's own ratio) and at full resolution. --steps in place of --minutes makes machines comparable.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from _package import load

load()

from otfm_pansharpen.model.finetuning.finetune import finetune  # noqa: E402
from otfm_pansharpen.model.finetuning.job import FinetuneJob, FinetuneResult, TuningPair  # noqa: E402
from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET  # noqa: E402
from otfm_pansharpen.model.quality.indices import INDICES  # noqa: E402
from wald import list_pairs  # noqa: E402


def tune(job: FinetuneJob, output: Path | None) -> FinetuneResult:
    """Run a job; its weights and report are kept where `output` names a folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = output or Path(name)
        report = folder / f"{job.output.stem}.html" if output else None
        return finetune(replace(job, output=folder / job.output, report=report))


def row(name: str, result: FinetuneResult) -> str:
    """A line of the table: each index before and after, and the change of ERGAS."""
    cells = "".join(f"{f[c]:9.4f}" for c in INDICES for f in (result.before, result.after))
    change = 100.0 * (result.after["ergas"] / result.before["ergas"] - 1.0)
    return f"{name:22}{cells}{change:8.2f} %{result.steps:7d}{result.seconds:6.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=FinetuneJob.minutes)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--start", default=DEFAULT_SET, help=f"{' or '.join(BUNDLED)}, or a file")
    parser.add_argument("--seed", type=int, default=FinetuneJob.seed)
    parser.add_argument("--only", nargs="*", default=[], help="names to take")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="folder for the weights and the reports")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
    start = BUNDLED.get(arguments.start, Path(arguments.start))
    print(f"{'':22}" + "".join(f"{c.upper():>9}{'after':>9}" for c in INDICES), flush=True)
    found: dict[str, FinetuneResult] = {}
    for name, pan, ms in list_pairs(arguments.folder, arguments.only, arguments.zero_is_nodata):
        job = FinetuneJob(
            (TuningPair(pan, ms),), Path(f"{name}.safetensors"), start, arguments.minutes, arguments.steps,
            seed=arguments.seed,
        )  # fmt: skip
        found[name] = tune(job, arguments.output)
        print(row(name, found[name]), flush=True)
    for column in INDICES:
        before, after = (
            np.array([figures[column] for figures in side])
            for side in ([r.before for r in found.values()], [r.after for r in found.values()])
        )
        change = worst(column, before, after)
        print(f"{column.upper()}: mean {before.mean():.4f} to {after.mean():.4f}; worst change {change}")
    shares = [r.after["ergas"] / r.before["ergas"] for r in found.values()]
    print(f"ERGAS after / before: mean {np.mean(shares):.4f}, worst {max(shares):.4f}")
    if arguments.json:
        kept = {n: {k: v for k, v in asdict(r).items() if k != "output"} for n, r in found.items()}
        arguments.json.write_text(json.dumps(kept, indent=1))


def worst(column: str, before: np.ndarray, after: np.ndarray) -> str:
    """The change of the scene that did worst."""
    change = after - before
    return f"{change.min() if INDICES[column].higher_is_better else change.max():+.4f}"


if __name__ == "__main__":
    main()
