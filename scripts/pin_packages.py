"""Write the lists of packages that the engine needs, every file with its hash: what `otfm:setup` installs.

    python scripts/pin_packages.py INDEX [WHEEL ...]

INDEX is the address of a package index that answers in JSON (PEP 691). WHEEL are files that it does not have, as
torch's CPU builds for Linux. cpu.txt leaves the index's own builds for Linux out, since they need CUDA; cuda.txt has
nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import urllib.request
from collections.abc import Iterable
from pathlib import Path

LISTS = Path(__file__).resolve().parent.parent / "resources" / "packages"
NEW, OLD = '; python_version >= "3.10"', '; python_version < "3.10"'
TORCH = ("torch", "2.13.0", NEW)
OLD_TORCH = ("torch", "2.8.0", OLD)  # the last for Python 3.9, which QGIS 3.22 has on Windows
COMPANIONS = [
    ("safetensors", "0.8.0", NEW),
    ("safetensors", "0.6.2", OLD),
    ("filelock", "3.19.1", ""),
    ("typing-extensions", "4.15.0", ""),
    ("setuptools", "80.9.0", ""),
    ("sympy", "1.14.0", ""),
    ("mpmath", "1.3.0", ""),
    ("networkx", "3.2.1", ""),
    ("jinja2", "3.1.6", ""),
    ("markupsafe", "3.0.3", ""),
    ("fsspec", "2025.9.0", ""),
]
# What torch 2.13.0 asks for on Linux, and what cuda-toolkit 13.0.3 asks for.
CUDA = [
    ("cuda-bindings", "13.0.3", ""),
    ("cuda-pathfinder", "1.2.2", ""),
    ("nvidia-cublas", "13.1.1.3", ""),
    ("nvidia-cuda-cupti", "13.0.85", ""),
    ("nvidia-cuda-nvrtc", "13.0.88", ""),
    ("nvidia-cuda-runtime", "13.0.96", ""),
    ("nvidia-cudnn-cu13", "9.20.0.48", ""),
    ("nvidia-cufft", "12.0.0.61", ""),
    ("nvidia-cufile", "1.15.1.6", ""),
    ("nvidia-curand", "10.4.0.35", ""),
    ("nvidia-cusolver", "12.0.4.66", ""),
    ("nvidia-cusparse", "12.6.3.3", ""),
    ("nvidia-cusparselt-cu13", "0.8.1", ""),
    ("nvidia-nccl-cu13", "2.29.7", ""),
    ("nvidia-nvjitlink", "13.0.88", ""),
    ("nvidia-nvshmem-cu13", "3.4.5", ""),
    ("nvidia-nvtx", "13.0.85", ""),
    ("triton", "3.7.1", ""),
]
USABLE = re.compile(r"-((cp39|cp31[0-4])-(cp39|cp31[0-4])|cp3\d+-abi3|(py2\.py3|py3)-none)-")
FOREIGN = re.compile(r"musllinux|armv7|s390x|ppc64|riscv|i686|win32|win_arm")


def wheels(index: str, name: str, version: str) -> dict[str, str]:
    """File name to SHA-256 of the wheels of one version that QGIS's Pythons can use. Raises ValueError for none."""
    request = urllib.request.Request(
        f"{index.rstrip('/')}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        listed = json.load(answer)["files"]
    start = re.compile(rf"{name.replace('-', '[-_]')}-{re.escape(version)}(\.0)?-", re.IGNORECASE)
    found = {
        file["filename"]: file["hashes"]["sha256"]
        for file in listed
        if start.match(file["filename"])
        and file["filename"].endswith(".whl")
        and USABLE.search(file["filename"])
        and not FOREIGN.search(file["filename"])
    }
    if not found:
        raise ValueError(f"The index has no wheel of {name} {version} that QGIS's Pythons can use.")
    return found


def entry(package: tuple[str, str, str], hashes: Iterable[str]) -> str:
    """One requirement with its hashes, as pip reads it."""
    name, version, marker = package
    lines = [f"{name}=={version}{' ' * bool(marker)}{marker}", *(f"    --hash=sha256:{h}" for h in sorted(set(hashes)))]
    return " \\\n".join(lines)


def main() -> None:
    """Write cpu.txt and cuda.txt."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("wheels", nargs="*", type=Path)
    given = parser.parse_args()
    own = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in given.wheels]
    new, old = (wheels(given.index, name, version) for name, version, _ in (TORCH, OLD_TORCH))
    small = {h for file, h in new.items() if "linux" not in file}
    companions = [entry(p, wheels(given.index, p[0], p[1]).values()) for p in COMPANIONS]
    small_old = [h for file, h in old.items() if "linux" not in file]
    big = [h for file, h in new.items() if "linux" in file]
    cuda = [entry(p, wheels(given.index, p[0], p[1]).values()) for p in CUDA]
    LISTS.mkdir(exist_ok=True)
    for file, lines in (
        ("cpu.txt", [entry(TORCH, [*small, *own]), entry(OLD_TORCH, small_old), *companions]),
        ("cuda.txt", [entry(TORCH, big), *companions, *cuda]),
    ):
        (LISTS / file).write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
