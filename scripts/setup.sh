# Sourced by demo.sh and test.sh: QGIS and GDAL from the system, torch in a virtual environment that sees them.
# Sets root, python, qgis_process and what QGIS needs in the environment. Quick when everything is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
say() { printf '\n== %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

system_packages() {
  /usr/bin/python3 -c 'import qgis.core, osgeo.gdal, matplotlib, scipy, ensurepip' 2>/dev/null \
    && command -v qgis_process gdal_pansharpen.py >/dev/null && return
  say "Installing QGIS and GDAL from the system's packages"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    qgis python3-qgis qgis-providers gdal-bin python3-gdal python3-venv python3-matplotlib python3-scipy >/dev/null
}

# Installs the packages given, unless the same list was installed before.
python_packages() {
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv --system-site-packages "$venv"
  local list=$venv/installed-$1 wanted
  wanted=$(cat "$root/scripts/requirements-$1.txt")
  [ -f "$list" ] && [ "$(cat "$list")" = "$wanted" ] && return
  say "Installing Python packages: $(grep -v '^#' "$root/scripts/requirements-$1.txt" | tr '\n' ' ')"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$root/scripts/requirements-$1.txt" 2>&1 | grep -v '^WARNING' || true
  "$venv/bin/python" -c 'import torch, safetensors'
  printf '%s' "$wanted" >"$list"
}

system_packages
python_packages run
python=$venv/bin/python
qgis_process=$(command -v qgis_process.bin || command -v qgis_process) # Debian 12's wrapper passes an unknown option
mkdir -p "$root/.demo/plugins"
ln -sfn "$root" "$root/.demo/plugins/otfm_pansharpen"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
export QGIS_PLUGINPATH=$root/.demo/plugins QGIS_CUSTOM_CONFIG_PATH=$root/.demo/qgis QT_QPA_PLATFORM=offscreen
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} # threads that spin starve each other on a busy machine
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
mkdir -p "$QGIS_CUSTOM_CONFIG_PATH"
