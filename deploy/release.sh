#!/bin/sh
# Builds the static binaries of a release into dist/, with their checksums and,
# for each, a CycloneDX list of the modules it is made of:
#
#   make release VERSION=v1.2.3
#
# PLATFORMS, as os/arch separated by spaces, builds others than the usual ones.
set -eu
cd "$(dirname "$0")/.."

VERSION=${VERSION:-$(git describe --tags --always --dirty)}
PLATFORMS=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
DIST=${DIST:-dist}

mkdir -p "$DIST"
rm -f "$DIST"/yativo-card-exporter-* "$DIST"/SHA256SUMS
for platform in $PLATFORMS; do
  name=yativo-card-exporter-$VERSION-${platform%/*}-${platform#*/}
  echo "building $name"
  CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o "$DIST/$name" .
  .tools/cyclonedx-gomod bin -json -version "$VERSION" -output "$DIST/$name.cdx.json" "$DIST/$name" 2>/dev/null ||
    { echo "release: no list of parts for $name; run make tool-sbom" >&2; exit 1; }
done
cd "$DIST"
if command -v sha256sum >/dev/null; then
  sha256sum yativo-card-exporter-* >SHA256SUMS
else
  shasum -a 256 yativo-card-exporter-* >SHA256SUMS
fi
