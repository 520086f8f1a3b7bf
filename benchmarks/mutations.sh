#!/usr/bin/env bash
# Changes the modules that [tool.mutmut] names, one operator, number or word after the other, and runs the tests that reach it:
#     bash benchmarks/mutations.sh FOLDER [MUTANT ...]
# Works in FOLDER on a copy of the last commit. MUTANT is a pattern, as 'otfm_pansharpen.model.raster.reader.*'.
# Lists the changes that no test notices. Needs mutmut: .venv/bin/python -m pip install --only-binary :all: mutmut
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$1"
cd "$1"
shift
[ -d otfm_pansharpen ] || git clone -q "$root" otfm_pansharpen
cp otfm_pansharpen/pyproject.toml . # mutmut reads its settings here, and takes the folder's name for the package's
export OMP_NUM_THREADS=1 QT_QPA_PLATFORM=offscreen
"$root/.venv/bin/python" -m mutmut run "$@"
"$root/.venv/bin/python" -m mutmut results
