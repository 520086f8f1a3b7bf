#!/usr/bin/env bash
# Writes the plugin's zip from the last commit: bash scripts/package.sh [--draft] [FILE]. The same commit gives the same bytes.
# --draft allows metadata that still hold placeholders, for a zip that is tried and not uploaded.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
draft=
if [ "${1:-}" = --draft ]; then draft=--draft; shift; fi
file=$(realpath -m "${1:-otfm_pansharpen.zip}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work/otfm_pansharpen

git -C "$root" archive --prefix=otfm_pansharpen/ HEAD | tar -x -C "$work" # less what .gitattributes leaves out
# What ships and is not kept in git, each made by a script that gets the folder to write into:
[ ! -f "$root/scripts/build_docs.py" ] || python3 "$root/scripts/build_docs.py" "$folder/resources/help"
[ ! -f "$root/scripts/build_translations.sh" ] || bash "$root/scripts/build_translations.sh" "$folder/resources/i18n"
python3 "$root/scripts/zip_plugin.py" $draft "$folder" "$root/CHANGELOG.md" "$(git -C "$root" log -1 --format=%ct)" "$file"
