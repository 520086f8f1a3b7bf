#!/usr/bin/env bash
# Writes the plugin's zip from the last commit: bash scripts/package.sh [--draft] [FILE]. The same commit gives the same bytes.
# --draft allows metadata that still hold placeholders, for a zip that is tried and not uploaded.
# PYTHON names a Python that has markdown-it-py; without it, what the tests need is installed as by scripts/test.sh.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-}
if [ -z "$python" ]; then
  # shellcheck source=scripts/setup.sh
  . "$root/scripts/setup.sh"
  python_packages test
  command -v git >/dev/null || apt_install git git
fi
draft=
if [ "${1:-}" = --draft ]; then draft=--draft; shift; fi
file=$(realpath -m "${1:-otfm_pansharpen.zip}")
mkdir -p "$(dirname "$file")"
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
folder=$made/otfm_pansharpen

git -C "$root" archive --prefix=otfm_pansharpen/ HEAD | tar -x -C "$made" # without what .gitattributes leaves out
# What ships and is not kept in git, each made by a script that gets the folder to write into:
"$python" "$root/scripts/build_docs.py" "$folder/resources/help"
"$python" "$root/scripts/translations.py" --build "$folder/resources/i18n"
"$python" "$root/scripts/zip_plugin.py" $draft "$folder" "$root/CHANGELOG.md" "$(git -C "$root" log -1 --format=%ct)" "$file"
