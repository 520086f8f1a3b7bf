"""The command-line arguments that most benchmarks take."""

from __future__ import annotations

import argparse
from pathlib import Path

from otfm_pansharpen.model.options import BUNDLED, DEFAULT_SET


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints a module's docstring as it stands."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def make_pairs_parser(description: str | None, folders: str = "folder") -> argparse.ArgumentParser:
    """Return a parser with the arguments that `list_pairs` needs; `folders` may be several."""
    parser = make_parser(description)
    parser.add_argument(folders, type=Path, nargs="+" if folders == "folders" else None)
    parser.add_argument("--only", nargs="*", default=[], help="names to take")
    parser.add_argument("--zero-is-nodata", nargs="*", default=[], help="names whose zeros are gaps")
    return parser


def add_weights(parser: argparse.ArgumentParser, name: str = "--weights") -> None:
    """Add an argument that is the path of bundled or other weights."""
    words = f"{' or '.join(BUNDLED)}, or a file"
    parser.add_argument(name, type=find_weights, default=BUNDLED[DEFAULT_SET], metavar="NAME", help=words)


def find_weights(name: str) -> Path:
    """Return the path of a bundled set of weights, or of a file."""
    return BUNDLED.get(name) or Path(name)
