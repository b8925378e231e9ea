#!/bin/sh
# Builds the static binaries of a release into dist/, with their checksums:
#
#   VERSION=v1.2.3 deploy/release.sh
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
done
cd "$DIST"
if command -v sha256sum >/dev/null; then
  sha256sum yativo-card-exporter-* >SHA256SUMS
else
  shasum -a 256 yativo-card-exporter-* >SHA256SUMS
fi
