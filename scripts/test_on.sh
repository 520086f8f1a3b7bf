#!/usr/bin/env bash
# Runs tests on another release of Debian, with its own QGIS, GDAL and Python: scripts/test_on.sh trixie|sid [PYTEST ...]
# Needs root and debootstrap. The system is made once, in .demo/RELEASE, and used again. Without arguments for pytest it runs
# what meets QGIS, GDAL, Python and torch, in minutes; sums on plain arrays are the same everywhere.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
release=${1:?trixie or sid}
shift
system=${OTFM_SYSTEMS:-$root/.demo}/$release
inside=/opt/plugins/otfm_pansharpen
[ $# -gt 0 ] || set -- tests/algorithms tests/engine/test_client.py tests/raster/test_{bits,formats,reader,writer}.py \
  tests/network/test_weights.py tests/training/test_{simulation,trainer}.py tests/test_{package,project,qt6}.py

if ! [ -x "$system/usr/bin/qgis_process" ]; then
  [ -x "$system/usr/bin/apt-get" ] || debootstrap --variant=minbase "$release" "$system"
  cp /etc/resolv.conf "$system/etc/"
  chroot "$system" apt-get -o Acquire::Check-Valid-Until=false update -qq # mirrors of sid may be weeks behind
  DEBIAN_FRONTEND=noninteractive chroot "$system" apt-get install -y -qq --no-install-recommends \
    qgis python3-qgis qgis-providers gdal-bin python3-gdal python3-torch python3-safetensors python3-pip git \
    python3-venv python3-matplotlib python3-scipy python3-pytest python3-hypothesis python3-markdown-it >/dev/null </dev/null
fi
[ -d "$system/opt/wheels" ] || python3 -m pip download -q --no-deps --only-binary :all: --require-hashes \
  -d "$system/opt/wheels" -r <(grep -A9 '^pytest-qgis==' "$root/scripts/requirements-test.txt" | sed '/\\$/!q')
mkdir -p "$system$inside" "$system/proc"
mountpoint -q "$system/proc" || mount -t proc proc "$system/proc"
trap 'umount "$system/proc"' EXIT
rm -rf "${system:?}$inside"
git clone -q "$root" "$system$inside"
chroot "$system" env -i PATH=/usr/bin:/bin:/usr/sbin HOME=/root LANG=C.UTF-8 bash -euc '
  cd '"$inside"'
  [ -x /opt/tests/bin/python ] || python3 -m venv --system-site-packages /opt/tests
  /opt/tests/bin/python -m pip install --quiet --only-binary :all: --no-index --no-deps --find-links /opt/wheels pytest-qgis
  export QGIS_PLUGINPATH=/opt/plugins QGIS_CUSTOM_CONFIG_PATH=/opt/qgis QT_QPA_PLATFORM=offscreen PYTHONPATH=/opt/plugins OMP_WAIT_POLICY=passive
  qgis_process --version 2>/dev/null | head -1
  python3 -c "import sys, torch, osgeo.gdal as g; print(sys.version.split()[0], torch.__version__, g.__version__)"
  /opt/tests/bin/python -m pytest -q "$@"' test "$@"
