"""Sharpen many scenes on the machines of a Dask cluster.

    python -m otfm_pansharpen.fleet PAIRS OUTPUT [--scheduler ADDRESS]

PAIRS is a CSV file with the columns pan and ms (and name, sensor, date), or a folder of satellite products. OUTPUT is a
folder that all workers see, or a prefix such as /vsis3/bucket/sharp. Run again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.errors import PansharpenError
from ..model.fusion.job import FusionOptions
from ..model.options import BUNDLED, DATA_TYPES, DEFAULT_SET, PRODUCT_BANDS
from ..model.product.run import FAILED
from ..model.staging import remove_stale_runs
from .job import COG, PARTS, Row, Scene, Settings
from .pairs import read_scenes
from .storage import is_remote
from .table import Bar, write_table

if TYPE_CHECKING:
    from distributed import Client

LEFT, STOPPED = 1, 130  # exit codes: some scenes failed; interrupted


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 where every scene is sharpened."""
    arguments = _parser().parse_args(words)
    try:
        return _run(arguments)
    except PansharpenError as error:
        sys.stderr.write(f"{error}\n")
        return LEFT
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again to go on.\n")
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m otfm_pansharpen.fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", help="CSV file of pairs, or folder of products")
    parser.add_argument("output", help="folder or /vsi prefix for the results")
    parser.add_argument("--scheduler", help="address of a Dask scheduler; without it, workers start on this machine")
    parser.add_argument("--workers", type=int, help="processes on this machine; as many as cores without it")
    parser.add_argument("--memory", default="auto", help="of each of them, for example 4GB")
    parser.add_argument(
        "--weights", default=DEFAULT_SET, help=f"{', '.join(BUNDLED)}, a file, or a folder of SENSOR.safetensors"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: workers with the resource GPU")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--align", choices=("auto", "off"), default="auto")
    parser.add_argument("--bands", choices=PRODUCT_BANDS, default=PRODUCT_BANDS[0], help="of products")
    parser.add_argument("--tile", type=int, default=0, help="side in PAN pixels; smaller ones take less memory")
    parser.add_argument("--form", choices=(COG, PARTS), default=COG, help="one COG, or parts under a VRT and STAC item")
    parser.add_argument("--data-type", choices=DATA_TYPES, default="", help="of the output; that of MS without it")
    parser.add_argument("--creation-option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--tune", type=int, default=0, metavar="SCENES", help="make weights, from so many of a sensor")
    parser.add_argument("--minutes", type=float, default=3.0, help="of tuning, a sensor")
    parser.add_argument("--seed", type=int, default=1, help="of tuning")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    output = arguments.output if is_remote(arguments.output) else os.path.abspath(arguments.output)
    scenes, none = read_scenes(arguments.pairs, output, arguments.form)
    with _client(arguments) as client:
        if arguments.tune:
            return _tune(client, scenes, arguments, output)
        return _sharpen(client, scenes, none, _settings(arguments), output)


def _settings(arguments: argparse.Namespace) -> Settings:
    weights = arguments.weights
    return Settings(
        weights=weights if weights in BUNDLED or is_remote(weights) else os.path.abspath(weights),
        bands=arguments.bands,
        form=arguments.form,
        options=FusionOptions(
            device=arguments.device,
            precision=arguments.precision,
            tile=arguments.tile,
            align=arguments.align == "auto",
            creation_options=tuple(arguments.creation_option),
            data_type=arguments.data_type,
        ),
    )


@contextmanager
def _client(arguments: argparse.Namespace) -> Iterator[Client]:
    """Of the scheduler that was named, or of workers on this machine, which end with the command."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise PansharpenError(
            f"Dask is not installed ({error}). Install it: python -m pip install --only-binary :all: dask distributed"
        ) from error
    if arguments.scheduler:
        try:
            client = Client(arguments.scheduler)
        except (OSError, ValueError) as error:
            raise PansharpenError(
                f"The scheduler {arguments.scheduler} cannot be reached ({error}). Start it, or correct its address."
            ) from error
        with client:
            yield client
        return
    with LocalCluster(
        n_workers=arguments.workers or os.cpu_count(), threads_per_worker=1, memory_limit=arguments.memory,
        dashboard_address=":0", silence_logs=logging.ERROR,  # torch ends later than Dask waits for without a word
    ) as cluster, Client(cluster) as client:  # fmt: skip
        if find_spec("bokeh") is not None:
            sys.stderr.write(f"Dashboard: {client.dashboard_link}\n")
        loading = [client.submit(_load, workers=[w], pure=False) for w in client.nthreads()]
        yield client
        del loading


def _load() -> None:
    """Load torch on a worker, while the client does the same."""
    import_module("otfm_pansharpen.fleet.tasks")


def _tune(client: Client, scenes: Sequence[Scene], arguments: argparse.Namespace, output: str) -> int:
    from .tuning import tune_fleet

    job = (_settings(arguments), output, arguments.tune, arguments.minutes, arguments.seed)
    failed = 0
    for sentence, good in tune_fleet(client, scenes, *job):
        sys.stderr.write(f"{sentence}\n")
        failed += not good
    return LEFT if failed else 0


def _sharpen(client: Client, scenes: Sequence[Scene], none: Sequence[Row], settings: Settings, output: str) -> int:
    from .run import sharpen_fleet

    rows: list[Row] = []
    bar = Bar(len(scenes) + len(none))

    def hear(row: Row) -> None:
        rows.append(row)
        bar.hear(row)

    for row in none:
        hear(row)
    try:
        sharpen_fleet(client, scenes, settings, hear)
    except OSError as error:
        raise PansharpenError(f"The scheduler is gone ({error}). Start it and run the same command again.") from error
    finally:
        _clear(output)
        files = write_table(_in_order(rows, scenes), output) if rows else []
    sys.stderr.write(f"{bar.end()} Table: {', '.join(files)}\n")
    return LEFT if any(r.status == FAILED for r in rows) else 0


def _in_order(rows: Sequence[Row], scenes: Sequence[Scene]) -> list[Row]:
    places = {s.name: i for i, s in enumerate(scenes)}
    return sorted(rows, key=lambda r: places.get(r.scene, len(places)))


def _clear(folder: str) -> None:
    """Remove what workers that died have left half-written."""
    if not is_remote(folder) and os.path.isdir(folder):
        remove_stale_runs(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
