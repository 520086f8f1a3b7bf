"""Write the lists of packages with the hash of every file: what `otfm:setup` and the scripts install.

    python scripts/pin_packages.py INDEX [WHEEL ...]

INDEX is the address of a package index that answers in JSON (PEP 691). WHEEL are files that it does not have, as
torch's CPU builds for Linux. cpu.txt leaves the index's own builds for Linux out, since they need CUDA; cuda.txt has
nothing else. scripts/requirements-test.txt keeps its names and versions, and gets the hashes of files for Debian 12
and 13.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import urllib.request
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTS, TESTS = ROOT / "resources" / "packages", ROOT / "scripts" / "requirements-test.txt"
Package = tuple[str, str, str]  # name, version, marker
# The last torch for Python 3.9, which QGIS 3.22 has on Windows; for 3.10, which Ubuntu 22.04 has; and the newest.
NEW, TEN, OLD = ('; python_version >= "3.11"', '; python_version == "3.10"', '; python_version < "3.10"')
FROM_TEN = '; python_version >= "3.10"'
TORCH: list[Package] = [("torch", "2.15.0", NEW), ("torch", "2.14.1", TEN)]
OLD_TORCH: Package = ("torch", "2.8.0", OLD)
COMPANIONS: list[Package] = [
    ("safetensors", "0.8.0", FROM_TEN),
    ("safetensors", "0.6.2", OLD),
    ("filelock", "4.3.1", NEW),
    ("filelock", "4.1.0", TEN),
    ("filelock", "3.19.1", OLD),  # the last for Python 3.9
    ("typing-extensions", "4.16.0", ""),
    ("setuptools", "84.2.1", FROM_TEN),
    ("setuptools", "82.0.1", OLD),
    ("sympy", "1.14.0", ""),
    ("mpmath", "1.3.0", ""),
    ("networkx", "3.4.2", FROM_TEN),  # newer ones refuse some versions of Python
    ("networkx", "3.2.1", OLD),
    ("jinja2", "3.1.6", ""),
    ("markupsafe", "3.0.4", ""),
    ("fsspec", "2026.9.0", FROM_TEN),
    ("fsspec", "2025.10.0", OLD),
]
# What each torch asks for on Linux, and what its cuda-toolkit asks for (13.2.2 and 13.0.3).
CUDA: list[Package] = [
    ("cuda-bindings", "13.5.0", NEW),
    ("cuda-pathfinder", "1.9.1", NEW),
    ("nvidia-cublas", "13.4.1.3", NEW),
    ("nvidia-cuda-cccl", "13.3.5.0.6", NEW),
    ("nvidia-cuda-cupti", "13.2.86", NEW),
    ("nvidia-cuda-nvrtc", "13.2.86", NEW),
    ("nvidia-cuda-runtime", "13.2.86", NEW),
    ("nvidia-cudnn-cu13", "9.26.0.51", NEW),
    ("nvidia-cufft", "12.2.0.57", NEW),
    ("nvidia-cufile", "1.17.1.22", NEW),
    ("nvidia-cusolver", "12.2.0.11", NEW),
    ("nvidia-cusparse", "12.7.10.12", NEW),
    ("nvidia-cusparselt-cu13", "0.8.1", FROM_TEN),
    ("nvidia-nccl-cu13", "2.30.7", FROM_TEN),
    ("nvidia-nvjitlink", "13.5.37", FROM_TEN),
    ("nvidia-nvshmem-cu13", "3.7.2", NEW),
    ("nvidia-nvtx", "13.2.86", NEW),
    ("triton", "3.9.0", NEW),
    ("cuda-bindings", "13.4.4", TEN),
    ("cuda-pathfinder", "1.8.3", TEN),
    ("nvidia-cublas", "13.1.1.3", TEN),
    ("nvidia-cuda-cupti", "13.0.85", TEN),
    ("nvidia-cuda-nvrtc", "13.0.88", TEN),
    ("nvidia-cuda-runtime", "13.0.96", TEN),
    ("nvidia-cudnn-cu13", "9.24.0.43", TEN),
    ("nvidia-cufft", "12.0.0.61", TEN),
    ("nvidia-cufile", "1.15.1.6", TEN),
    ("nvidia-curand", "10.4.0.35", TEN),
    ("nvidia-cusolver", "12.0.4.66", TEN),
    ("nvidia-cusparse", "12.6.3.3", TEN),
    ("nvidia-nvshmem-cu13", "3.4.5", TEN),
    ("nvidia-nvtx", "13.0.85", TEN),
    ("triton", "3.8.0", TEN),
]
USABLE = re.compile(r"-((cp39|cp31[0-5])-(cp39|cp31[0-5]|none)|cp3\d+-abi3|(py2\.py3|py3)-none)-")
FOREIGN = re.compile(r"musllinux|armv7|s390x|ppc64|riscv|i686|win32|win_arm")
DEBIAN = re.compile(r"-(cp31[13]-cp31[13]|cp3\d+-abi3|(py2\.py3|py3)-none)-(any|manylinux)")


def wheels(index: str, name: str, version: str, usable: re.Pattern[str] = USABLE) -> dict[str, str]:
    """Return file name to SHA-256 of the wheels of one version that may be used. Raises ValueError for none."""
    request = urllib.request.Request(
        f"{index.rstrip('/')}/{name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        listed = json.load(answer)["files"]
    start = re.compile(rf"{re.sub('[-_.]', '[-_.]', name)}-{re.escape(version)}(\.0)?-", re.IGNORECASE)
    found = {
        file["filename"]: file["hashes"]["sha256"]
        for file in listed
        if start.match(file["filename"])
        and file["filename"].endswith(".whl")
        and usable.search(file["filename"])
        and not FOREIGN.search(file["filename"])
    }
    if not found:
        raise ValueError(f"The index has no wheel of {name} {version} that can be used.")
    return found


def entry(package: Package, hashes: Iterable[str]) -> str:
    """Return one requirement with its hashes, as pip reads it."""
    name, version, marker = package
    lines = [f"{name}=={version}{' ' * bool(marker)}{marker}", *(f"    --hash=sha256:{h}" for h in sorted(set(hashes)))]
    return " \\\n".join(lines)


def own_entry(wheel: Path) -> str:
    """Return the requirement that is one file, for its Python on Linux."""
    name, version, python = wheel.name.split("-")[:3]
    marker = f'; python_version == "{python[2]}.{python[3:]}" and sys_platform == "linux"'
    return entry((name, version, marker), [hashlib.sha256(wheel.read_bytes()).hexdigest()])


def main() -> None:
    """Write the three lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("wheels", nargs="*", type=Path)
    given = parser.parse_args()
    cpu, cuda = [own_entry(wheel) for wheel in given.wheels], []
    for name, version, marker in [*TORCH, OLD_TORCH]:
        found = wheels(given.index, name, version)
        small = [digest for file, digest in found.items() if "linux" not in file]
        cpu.append(entry((name, version, f'{marker} and sys_platform != "linux"'), small))
        if (name, version, marker) in TORCH:
            cuda.append(entry((name, version, marker), [h for file, h in found.items() if "linux" in file]))
    companions = [entry(p, wheels(given.index, p[0], p[1]).values()) for p in COMPANIONS]
    cuda += [*companions, *(entry(p, wheels(given.index, p[0], p[1]).values()) for p in CUDA)]
    tests = re.findall(r"^([\w.-]+)==([\w.]+)", TESTS.read_text(encoding="ascii"), re.MULTILINE)
    pinned = [
        entry((name, version, ""), wheels(given.index, name, version, DEBIAN).values()) for name, version in tests
    ]
    for file, lines in ((LISTS / "cpu.txt", [*cpu, *companions]), (LISTS / "cuda.txt", cuda), (TESTS, pinned)):
        file.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
