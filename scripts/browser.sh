#!/usr/bin/env bash
# Fetches what conformance/browser needs besides Go: Chromium, by apt-get where this runs as root, and axe-core from npm. What cannot be
# had is told of; the tests are then skipped, and listed by scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! grep -q '"version": "4.14.1"' .cache/axe/node_modules/axe-core/package.json 2>/dev/null; then
  npm install --silent --no-audit --no-fund --no-save --prefix .cache/axe axe-core@4.14.1 jsdom@24.1.3 || echo "axe-core was not fetched: the browser tests are skipped"
fi
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }; } >/dev/null 2>&1 || true
  fi
  command -v chromium >/dev/null || echo "chromium is not here and cannot be installed (as root: apt-get install chromium): the browser tests are skipped"
fi
