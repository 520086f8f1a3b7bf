#!/usr/bin/env bash
# Makes a release: bash scripts/release.sh [--dry-run] X.Y.Z
# Checks the version, tags the commit, and writes the zip, its checksum and the notes into dist/. Where QGIS_TOKEN holds a token
# of plugins.qgis.org it uploads the zip there. With --dry-run there is no tag and no upload, and placeholders are only listed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
draft=
if [ "${1:-}" = --dry-run ]; then draft=--draft; shift; fi
version=${1:?the version, as in: bash scripts/release.sh 1.2.3}
refuse() {
  echo "No release: $*" >&2
  exit 1
}
[ -z "$(git status --porcelain)" ] || refuse "there are changes that are not committed."
grep -qFx "version=$version" metadata.txt || refuse "metadata.txt has $(grep '^version=' metadata.txt), not version=$version."
grep -qFx "version: $version" CITATION.cff || refuse "CITATION.cff has another version than $version."
grep -qFx "  - name: $(sed -n 's/^author=//p' metadata.txt)" CITATION.cff || refuse "CITATION.cff has another author than metadata.txt."
grep -qE "^## ${version//./\\.} - [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md || refuse "CHANGELOG.md has no heading '## $version - YYYY-MM-DD'."
tagged=$(git rev-parse -q --verify "v$version^{commit}" || true)
[ -z "$tagged" ] || [ "$tagged" = "$(git rev-parse HEAD)" ] || refuse "the tag v$version is on another commit."
grep -n example.org metadata.txt && { [ -n "$draft" ] || refuse "metadata.txt has placeholders: set these lines first."; }

mkdir -p dist
bash scripts/package.sh $draft dist/otfm_pansharpen.zip
(cd dist && sha256sum otfm_pansharpen.zip >otfm_pansharpen.zip.sha256)
awk -v heading="## $version " 'index($0, "## ") == 1 { inside = index($0, heading) == 1; next } inside' CHANGELOG.md >dist/notes.md
echo "dist/ holds the zip, its checksum and the notes of v$version."
if [ -n "$draft" ]; then
  echo "Dry run: no tag, no upload."
  exit
fi
[ -n "$tagged" ] || git tag -a "v$version" -m "Release $version"
if [ -n "${QGIS_TOKEN:-}" ]; then
  printf 'Authorization: Bearer %s' "$QGIS_TOKEN" | curl --fail-with-body --silent --show-error -H @- \
    -F package=@dist/otfm_pansharpen.zip "${QGIS_REPOSITORY:-https://plugins.qgis.org}/plugins/api/otfm_pansharpen/version/add/"
else
  echo "Not uploaded, since QGIS_TOKEN is not set. Push the tag: git push origin v$version"
fi
