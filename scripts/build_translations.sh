#!/usr/bin/env bash
# Makes what QGIS reads of the translations, in resources/i18n or another folder: bash scripts/build_translations.sh [FOLDER]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python3 "$root/scripts/translations.py" --build "${1:-$root/resources/i18n}"
