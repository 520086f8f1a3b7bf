# Sourced by demo.sh, test.sh and train.sh: QGIS and GDAL from the system, torch in a virtual environment that sees them.
# Sets root, work, python, qgis_process and what QGIS needs in the environment. Quick, and without network, when all is there.
#     OTFM_TORCH=cpu|cuda     forces a build of torch; else CUDA where an NVIDIA driver is found, CPU elsewhere
#     OTFM_WORK=FOLDER        where .venv and .demo are made; else in the checkout, or in the user's cache if that is read-only
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
debian="qgis python3-qgis qgis-providers gdal-bin python3-gdal python3-venv python3-matplotlib python3-scipy"
say() { printf '\n== %s\n' "$*"; }
stop() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

if [ -n "${OTFM_WORK:-}" ]; then
  work=$OTFM_WORK
elif [ -w "$root" ]; then
  work=$root
else
  work=${XDG_CACHE_HOME:-$HOME/.cache}/otfm_pansharpen
  say "$root cannot be written to: working in $work"
fi
venv=$work/.venv demo=$work/.demo
mkdir -p "$demo/plugins" "$demo/qgis" || stop "$work cannot be made. Name a folder that you may write to: OTFM_WORK=FOLDER bash $0"

# Installs packages of the system; the first argument says in words what they are.
apt_install() {
  local what=$1 as_root=() log
  shift
  local install="apt-get install --no-install-recommends $*"
  command -v apt-get >/dev/null || stop "$what: missing, and this system has no apt-get. Install what your system calls these" \
    "packages of Debian, then run again: $*"
  if [ "$(id -u)" != 0 ]; then
    as_root=(sudo)
    command -v sudo >/dev/null && sudo -v || stop "$what: missing, and installing takes rights that $(id -un) does not have." \
      "Ask an administrator to run this, then run again: $install"
  fi
  say "Installing from the system's packages: $what"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -o Acquire::Retries=0)
  log=$(mktemp)
  "${apt[@]}" update -qq 2>/dev/null || true # what is missing after it, the next lines say
  "${apt[@]}" install --assume-no --no-install-recommends "$@" 2>/dev/null | grep '^Need to get\|^After this' || true
  "${apt[@]}" install -y -qq --no-install-recommends "$@" >/dev/null 2>"$log" || stop "The system's packages could not be" \
    "installed. $(grep -a '^E: ' "$log" | head -1)
If there is no network, run again where there is, or ask an administrator to run: $install"
  rm "$log"
}

system_packages() {
  /usr/bin/python3 -c 'import qgis.core, osgeo.gdal, matplotlib, scipy, ensurepip' 2>/dev/null \
    && command -v qgis_process gdal_pansharpen.py >/dev/null && return
  # shellcheck disable=SC2086
  apt_install "QGIS, GDAL, matplotlib and scipy" $debian
}

# pip in the virtual environment; after a failure pip_said has the reason. It takes wheels alone: pip would build any other
# file, which runs what is in it.
pip_said=
pip() {
  local log
  log=$(mktemp)
  if "$venv/bin/python" -m pip --disable-pip-version-check "$@" --only-binary :all: >"$log" 2>&1; then rm "$log"; return; fi
  pip_said=$(grep -ai '^error' "$log" | tail -1 || true)
  rm "$log"
  return 1
}

install_list() {
  pip install --quiet --no-deps --require-hashes -r "$1" || stop "The Python packages could not be installed. pip says: $pip_said
If there is no network, run again where there is; what was installed is kept."
}

# Installs torch and what it needs, by the lists that otfm:setup installs too.
install_torch() {
  local build=${OTFM_TORCH:-} lists=$root/resources/packages torch='import torch; assert torch.__version__ >= "2.2"'
  [ -n "$build" ] || build=$([ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ] && echo cuda || echo cpu)
  case $build in
    cuda) say "torch for CUDA: 3.3 GB to fetch, 5.5 GB on the disk (OTFM_TORCH=cpu asks for the smaller CPU build)" ;;
    cpu) say "torch for CPUs: 0.2 GB to fetch, 0.75 GB on the disk (OTFM_TORCH=cuda asks for the CUDA build)" ;;
    *) stop "OTFM_TORCH is $build; it may be cpu or cuda." ;;
  esac
  if [ "$build" = cpu ] && ! /usr/bin/python3 -c "$torch" 2>/dev/null && ! pip install --quiet --no-deps --require-hashes \
    --timeout 10 --retries 1 --index-url https://download.pytorch.org/whl/cpu -r "$lists/torch-cpu.txt"; then
    say "torch's index of CPU builds cannot be used: $pip_said"
    if apt-cache show python3-safetensors >/dev/null 2>&1; then # where it is, torch is new enough
      apt_install "torch of this system" python3-torch python3-safetensors
    else
      say "The CUDA build runs without a GPU too: 3.3 GB to fetch, 5.5 GB on the disk."
      local answer=yes
      [ ! -t 0 ] || read -r -p "Take it? Else run again later, or name an index with CPU builds in PIP_EXTRA_INDEX_URL. [yes/no] " answer
      [ "$answer" = yes ] || [ "$answer" = y ] || stop "Nothing was installed."
      build=cuda
    fi
  fi
  install_list "$lists/$build.txt"
  "$venv/bin/python" -c 'import torch, safetensors' \
    || stop "torch is installed but does not load; the reason stands above. Delete $venv and run again."
}

# Installs the Python packages of a name, run or test, unless the same lists were installed before.
python_packages() {
  local stamp=$venv/installed-$1 lists=("$root/resources/packages/"*.txt) wanted
  [ "$1" = run ] || lists=("$root/scripts/requirements-$1.txt")
  wanted="$(sha256sum <(cat "${lists[@]}")) ${OTFM_TORCH:-}"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv --system-site-packages "$venv"
  say "Installing Python packages into $venv"
  if [ "$1" = run ]; then install_torch; else install_list "${lists[0]}"; fi
  printf '%s' "$wanted" >"$stamp"
}

system_packages
python_packages run
python=$venv/bin/python
qgis_process=$(command -v qgis_process.bin || command -v qgis_process) # Debian 12's wrapper passes an unknown option
ln -sfn "$root" "$demo/plugins/otfm_pansharpen"
site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
echo "$demo/plugins" >"$site/otfm_pansharpen.pth" # as an editable install, which would write into the checkout
export QGIS_PLUGINPATH=$demo/plugins QGIS_CUSTOM_CONFIG_PATH=$demo/qgis QT_QPA_PLATFORM=offscreen
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive} # threads that spin starve each other on a busy machine
export PYTHONPATH=$demo/plugins:$site${PYTHONPATH:+:$PYTHONPATH}
