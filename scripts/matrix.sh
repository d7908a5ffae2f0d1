#!/usr/bin/env bash
# The transport's tests on the oldest supported, a middle and the newest aiohttp, each in an
# environment of its own. Run by `make test-matrix`; PY names the Python that makes the environments.
set -euo pipefail
cd "$(dirname "$0")/.."

PY=${PY:-python3}
VERSIONS=${VERSIONS:-3.12.15 3.13.5 newest}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

install() { # version, environment
    local wanted="aiohttp==$1"
    [ "$1" = newest ] && wanted=aiohttp
    [ -e "$2/.made" ] || scripts/environment.sh "$2" dev "$PY" || return
    # Everything else stays as locked, so that only aiohttp can make a difference; but older ones do
    # not take the newest multidict.
    "$2/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$wanted"
}

run() { # version
    local environment=.venv-aiohttp-$1 log="$scratch/$1.log" outcome=0
    install "$1" "$environment" || {
        echo "aiohttp $1: the installation failed" >&2
        return 1
    }
    "$environment/bin/python" -m pytest -q -n 2 -m "not torture" -p no:cacheprovider \
        tests/transport >"$log" 2>&1 || outcome=$?
    local version counts
    version=$("$environment/bin/python" -c 'import aiohttp; print(aiohttp.__version__)')
    counts=$(tail -n 1 "$log" | tr -d '=')
    printf 'aiohttp %-8s %s\n' "$version" "${counts:-no test ran}"
    [ "$outcome" -eq 0 ] || cat "$log"
    return "$outcome"
}

failed=0
for version in $VERSIONS; do
    run "$version" || failed=$((failed + 1))
done
exit "$((failed > 0))"
