"""Sharpen many scenes on the machines of a Dask cluster.

    otfm-fleet PAIRS OUTPUT [--scheduler ADDRESS]

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
from ..model.product.run import FAILED, NO_PRODUCT
from ..model.staging import remove_stale_runs
from .job import COG, PARTS, FleetScene, Settings, read_scenes
from .storage import is_remote
from .table import Bar, Row, write_table

if TYPE_CHECKING:
    from distributed import Client

LEFT, STOPPED = 1, 130  # exit codes: some scenes failed; interrupted


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 where every scene is sharpened."""
    try:
        return _run(_make_parser().parse_args(words))
    except PansharpenError as error:
        sys.stderr.write(f"{error}\n")
        return LEFT
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run the same command again to go on.\n")
        return STOPPED


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "otfm-fleet", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("pairs", help="CSV file of pairs, or folder of products")
    add("output", type=_make_absolute, help="folder or /vsi prefix for the results")
    add("--scheduler", help="address of a Dask scheduler; without it, workers start on this machine")
    add("--workers", type=int, help="processes on this machine; as many as cores without it")
    add("--memory", default="auto", help="memory of each worker, for example 4GB")
    add("--weights", default=DEFAULT_SET, help=f"{', '.join(BUNDLED)}, a file, or a folder of SENSOR.safetensors")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: workers with the resource GPU")
    add("--precision", choices=("fp32", "bf16"), default="fp32")
    add("--align", choices=("auto", "off"), default="auto")
    add("--bands", choices=PRODUCT_BANDS, default=PRODUCT_BANDS[0], help="bands of products")
    add("--tile", type=int, default=0, help="side in PAN pixels; smaller ones take less memory")
    add("--form", choices=(COG, PARTS), default=COG, help="one COG, or parts under a VRT and STAC item")
    add("--data-type", choices=DATA_TYPES, default="", help="of the output; that of MS without it")
    add("--creation-option", dest="creation_options", action="append", default=[], metavar="NAME=VALUE")
    add("--tune", type=int, default=0, metavar="SCENES", help="tune weights on so many scenes per sensor")
    add("--minutes", type=float, default=3.0, help="minutes of tuning per sensor")
    add("--seed", type=int, default=1, help="seed of tuning")
    return parser


def _make_absolute(path: str) -> str:
    return path if is_remote(path) else os.path.abspath(path)


def _run(arguments: argparse.Namespace) -> int:
    weights = arguments.weights if arguments.weights in BUNDLED else _make_absolute(arguments.weights)
    options = FusionOptions(
        device=arguments.device, precision=arguments.precision, tile=arguments.tile, align=arguments.align == "auto",
        creation_options=tuple(arguments.creation_options), data_type=arguments.data_type,
    )  # fmt: skip
    settings = Settings(weights, arguments.bands, arguments.form, options)
    scenes, refused = read_scenes(arguments.pairs, arguments.output, arguments.form)
    with _client(arguments) as client:
        if not arguments.tune:
            rows = [Row(r.title, NO_PRODUCT, sentence=r.sentence) for r in refused]
            return _sharpen(client, scenes, rows, settings, arguments.output)
        from .tuning import tune_fleet

        failed = 0
        job = (arguments.output, arguments.tune, arguments.minutes, arguments.seed)
        for sentence, good in tune_fleet(client, scenes, settings, *job):
            sys.stderr.write(f"{sentence}\n")
            failed += not good
        return LEFT if failed else 0


@contextmanager
def _client(arguments: argparse.Namespace) -> Iterator[Client]:
    """Connect to the scheduler of `arguments`, or to workers on this machine, which end with the command."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise PansharpenError(
            f"Dask is not installed ({error}). Install what the fleet needs, in the plugin's folder: python -m pip "
            'install --only-binary :all: ".[fleet]"'
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
        loading = client.map(import_module, ["otfm_pansharpen.fleet.run"] * len(cluster.workers), pure=False)
        yield client  # which loads torch meanwhile, as the workers do
        del loading


def _sharpen(client: Client, scenes: Sequence[FleetScene], rows: list[Row], settings: Settings, output: str) -> int:
    from .run import sharpen_fleet

    bar = Bar(len(scenes) + len(rows))
    for row in rows:
        bar.show(row)

    def finish(row: Row) -> None:
        rows.append(row)
        bar.show(row)

    try:
        sharpen_fleet(client, scenes, settings, finish)
    except OSError as error:
        raise PansharpenError(f"The scheduler is gone ({error}). Start it and run the same command again.") from error
    finally:
        if os.path.isdir(output):
            remove_stale_runs(Path(output))  # of workers that died
        order = {s.name: i for i, s in enumerate(scenes)}
        rows.sort(key=lambda r: order.get(r.scene, len(order)))
        files = write_table(rows, output) if rows else []
    sys.stderr.write(f"{bar.end()} Table: {', '.join(files)}\n")
    return LEFT if any(r.status == FAILED for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
