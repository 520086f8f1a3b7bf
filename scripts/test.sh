#!/usr/bin/env bash
# Installs what the tests need and runs them: style, types, security, then pytest.
# shellcheck source=scripts/setup.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
python_packages test
for tool in git curl; do command -v $tool >/dev/null || apt_install "$tool, for the tests of releases" $tool; done
if ! [ -w "$root" ]; then # the tools write next to the files that they check: a copy is tested
  rm -rf "$work/checkout" && cp -r "$root" "$work/checkout" && chmod -R u+w "$work/checkout"
  root=$work/checkout
  ln -sfn "$root" "$demo/plugins/otfm_pansharpen"
fi
cd "$root"
say "Style, types, security"
"$venv/bin/ruff" check .
"$venv/bin/ruff" format --check .
if "$python" -c 'import numpy; assert numpy.__version__ < "2"' 2>/dev/null; then # every NumPy 2 has other types
  (cd "$QGIS_PLUGINPATH" && "$venv/bin/mypy" --config-file "$root/pyproject.toml" -p otfm_pansharpen)
else echo "The types are not checked, since they fit NumPy 1 only. CI checks them."
fi
"$venv/bin/lint-imports" pyproject.toml | tail -12
"$venv/bin/bandit" -q -r __init__.py plugin.py algorithms desktop engine fleet model
if command -v actionlint >/dev/null; then actionlint; fi # it has no wheel, so the lists of packages leave it out
say "Tests"
QGIS_PROCESS=$qgis_process "$python" -m pytest -q -n 2 --dist loadfile "$@" # -n 0 runs them in one process
