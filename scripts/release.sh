#!/usr/bin/env bash
# Builds the static binaries of a release and their SHA-256 sums into a folder.
#
#   scripts/release.sh [--snapshot] [FOLDER]      (default: dist)
#
# Go stamps the version from the tag of the commit, so the tree must be clean and HEAD
# must carry a tag vX.Y.Z; --snapshot builds whatever is there, for a trial. The same
# commit and the same Go give the same bytes, on any machine and in any folder.
set -euo pipefail

snapshot=
if [ "${1:-}" = --snapshot ]; then
  snapshot=yes
  shift
fi
out=${1:-dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."

if [ -n "$snapshot" ]; then
  version=snapshot
else
  if [ -n "$(git status --porcelain)" ]; then
    echo "release: the tree has changes; commit them, or use --snapshot" >&2
    exit 1
  fi
  version=$(git tag --points-at HEAD --list 'v[0-9]*' | sort -V | tail -n 1)
  if [ -z "$version" ]; then
    echo "release: HEAD has no tag vX.Y.Z; tag it, or use --snapshot" >&2
    exit 1
  fi
fi

# What the environment may hold must not reach the binaries.
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOEXPERIMENT= GOAMD64=v1 GOARM64=v8.0

files=()
for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64; do
  os=${target%/*} arch=${target#*/} suffix=
  [ "$os" != windows ] || suffix=.exe
  name=mllmrec-$version-$os-$arch$suffix
  GOOS=$os GOARCH=$arch \
    go build -trimpath -buildvcs=true -ldflags='-s -w' -o "$out/$name" ./cmd/mllmrec
  if [ -z "$snapshot" ] && ! go version -m "$out/$name" | grep -qE "^[[:space:]]mod[[:space:]][^[:space:]]+[[:space:]]$version([[:space:]]|\$)"; then
    echo "release: $name does not carry the version $version:" >&2
    go version -m "$out/$name" | grep -E '^[[:space:]](mod|build.*vcs)' >&2
    exit 1
  fi
  files+=("$name")
  echo "$name"
done

cd "$out"
if command -v sha256sum >/dev/null; then
  sha256sum "${files[@]}" >SHA256SUMS
else
  shasum -a 256 "${files[@]}" >SHA256SUMS
fi
echo SHA256SUMS
