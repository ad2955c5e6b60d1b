#!/usr/bin/env bash
# Builds the image with docker or podman. Where neither answers, it writes the
# image's files into a folder (bin/image, or the argument) and starts the program
# there: in an empty root, as a user without rights.
set -euo pipefail
cd "$(dirname "$0")/.."
for engine in docker podman; do
  if "$engine" info >/dev/null 2>&1; then
    exec "$engine" build -t carerecord .
  fi
done
root=${1:-bin/image}
rm -rf "$root"
scripts/image-root.sh "$root"
root=$(cd "$root" && pwd)
echo "image: neither docker nor podman answers: the files of the image are in $root ($(stat -c %s "$root/carerecord") bytes of program); no image was built, the Dockerfile itself was not run"
if [ "$(id -u)" != 0 ] || ! command -v chroot >/dev/null; then
  echo "image: the program was not started: that needs root, for chroot"
  exit 0
fi
chown 65532:65532 "$root/data"
at=127.0.0.1:${IMAGE_PORT:-18080}
chroot=$(command -v chroot)
inside() { exec env -i "$chroot" --userspec=65532:65532 "$root" "$@"; }
inside /carerecord serve --demo --store pebble:/data/record --listen "$at" >"$root.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$root/data/record"' EXIT
for _ in $(seq 300); do
  if (inside /carerecord health --to "http://$at") 2>/dev/null; then
    owner=$(stat -c %u "$root/data/record/db")
    who=$(awk '/^Uid:/ {print $2}' "/proc/$server/status")
    [ "$owner:$who" = 65532:65532 ] || { echo "image: the program runs as $who, its store is of $owner, not 65532"; exit 1; }
    echo "image: in an empty root, as user $who, the program answers /healthz"
    exit 0
  fi
  kill -0 $server 2>/dev/null || break
  sleep 0.1
done
cat "$root.log"
echo "image: the program does not answer in an empty root"
exit 1
