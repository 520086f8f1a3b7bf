"""List the wheels of torch whose hashes are pinned, for set-up and docs/installing.md; called by pin_packages.sh."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

from families import fill_table
from fetch_scene import PipSettings
from otfm_pansharpen.engine.torch_builds import CPU_INDEX, LISTS, SIZES, list_wheels

PAGE = Path(__file__).resolve().parents[1] / "docs" / "installing.md"
WHEEL = re.compile(
    r"torch-([\d.]+)(?:\+cpu)?-cp3(\d+)-(?:cp3\d+|none)-(win|macosx|manylinux)_(?:(\d+)_\d+_)?(\w+)\.whl"
)
SYSTEMS = {"win": "Windows", "macosx": "macOS", "manylinux": "Linux"}


def find_wheels() -> list[str]:
    """Find the names of the wheels on pip's indexes and on that of the CPU builds. Returns lines for wheels.txt."""
    pins = {"cpu": ("cpu.txt", "torch-cpu.txt"), "cuda": ("cuda.txt",)}
    hashes = {build: "".join((LISTS / name).read_text(encoding="ascii") for name in pins[build]) for build in pins}
    settings = PipSettings()
    newest: dict[tuple[str, str, str, int], tuple[list[int], str]] = {}  # the lists take the newest for each Python
    for page in (*settings.pages("torch"), f"{CPU_INDEX}/torch/"):
        for address in settings.links(page):
            wheel = WHEEL.fullmatch(unquote(Path(urlsplit(address).path).name))
            digest = urlsplit(address).fragment.rpartition("=")[2]
            for build, listed in hashes.items():
                if wheel and digest and digest in listed:
                    version, python, system, oldest, processor = wheel.groups()
                    key = build, SYSTEMS[system], processor.replace("amd64", "x86_64"), int(python)
                    found = [int(part) for part in version.split(".")], oldest if system == "macosx" else "0"
                    newest[key] = max(newest.get(key, found), found)
    lines = defaultdict(list)
    for (build, system, processor, python), (version, oldest) in sorted(newest.items()):
        lines[f"{build} {'.'.join(map(str, version))} {system} {oldest} {processor}"].append(f"3.{python}")
    return [f"{machine} {' '.join(pythons)}\n" for machine, pythons in lines.items()]


def page(text: str) -> str:
    """Return the page with the table of the present wheels."""
    wheels = (wheel for build in SIZES for wheel in list_wheels(build))
    rows = (f"{w.build.upper()} | {w.machine} | {w.python_range} | {w.version}" for w in wheels)
    return fill_table(text, "build | machine | Python | torch", rows)


if __name__ == "__main__":
    (LISTS / "wheels.txt").write_text("".join(find_wheels()), encoding="ascii")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
