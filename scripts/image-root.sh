#!/bin/sh
# Writes the files of the image into a folder: the Dockerfile runs it, and
# image.sh if there is no container engine.
set -eu
out=$1
cd "$(dirname "$0")/.."
mkdir -p "$out/etc/ssl/certs" "$out/data"
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$out/carerecord" ./cmd/carerecord
cp /etc/ssl/certs/ca-certificates.crt "$out/etc/ssl/certs/"
