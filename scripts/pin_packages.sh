#!/usr/bin/env bash
# Writes the lists of packages with the hash of every wheel, by uv: bash scripts/pin_packages.sh [OPTION OF uv ...]
#     --upgrade              newer versions than those listed, where the lists of wishes (scripts/*.in) allow
# uv: .venv/bin/python -m pip install --only-binary :all: uv
# In requirements-test.txt add a line NAME==VERSION for a new package, and for each that it needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pin() { # list, oldest Python, wishes, more options
  uv pip compile --quiet --universal --generate-hashes --only-binary :all: --no-annotate --no-header --no-emit-find-links \
    --output-file "$1" --python-version "$2" "${@:3}"
}
pin resources/packages/torch-cpu.txt 3.10 scripts/torch-cpu.in "$@" --no-deps \
  --index-url https://download.pytorch.org/whl/cpu
pin resources/packages/cpu.txt 3.9 scripts/cpu.in "$@"
pin resources/packages/cuda.txt 3.10 scripts/cuda.in "$@"
pin scripts/requirements-test.txt 3.11 scripts/requirements-test.txt --no-deps "$@"
PYTHONPATH=.demo/plugins .venv/bin/python scripts/torch_wheels.py
