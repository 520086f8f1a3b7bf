#!/usr/bin/env bash
# Writes the plugin's zip from the last commit: bash scripts/package.sh [FILE]. The same commit gives the same bytes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
file=$(realpath -m "${1:-otfm_pansharpen.zip}")
git -C "$root" archive --format=zip --prefix=otfm_pansharpen/ -o "$file" HEAD
printf '%s: %s bytes\n' "$file" "$(stat -c %s "$file")"
