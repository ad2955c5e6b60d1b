#!/bin/sh
# Puts Schemathesis, which fuzzes the running server in a test, into .cache/venv
# and prints the path of its program. It is a test tool, never shipped. The
# second call finds it in place.
set -eu

version=4.32.5
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/.cache"
home=$root/.cache/venv
mark=$home/schemathesis-$version

exec 9>"$root/.cache/venv.lock"
flock 9
if [ ! -f "$mark" ]; then
	{ python3 -m venv "$home" &&
		"$home/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$version"; } >&2 || {
		echo "schemathesis: pip could not install schemathesis==$version: Python 3 with venv and pip is needed" >&2
		exit 1
	}
	touch "$mark"
fi
echo "$home/bin/schemathesis"
