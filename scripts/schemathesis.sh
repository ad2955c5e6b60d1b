#!/bin/sh
# Puts Schemathesis, which fuzzes the running server in a test, into
# .cache/schemathesis and prints the path of a program that runs it. It is a test
# tool, never shipped. It needs Python 3 with pip, and no venv. The second call
# finds it in place.
set -eu

version=4.32.5
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$root/.cache"
home=$root/.cache/schemathesis
program=$home/run-$version

exec 9>"$root/.cache/schemathesis.lock"
flock 9
if ! "$program" --version >/dev/null 2>&1; then
	rm -rf "$home"
	python3 -m pip install --quiet --disable-pip-version-check --target "$home" "schemathesis==$version" >&2 || {
		echo "schemathesis: pip could not install schemathesis==$version: Python 3 with pip is needed" >&2
		exit 1
	}
	cat >"$program" <<END
#!/bin/sh
PYTHONPATH="$home" exec python3 -c 'import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())' "\$@"
END
	chmod +x "$program"
fi
echo "$program"
