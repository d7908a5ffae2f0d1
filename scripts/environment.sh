#!/usr/bin/env bash
# Makes the virtual environment of a dependency group: scripts/environment.sh FOLDER GROUP PYTHON
#
# uv is used where it is installed, else venv and pip. Both compare each file that they download with the
# hashes in constraints.txt. The package itself is the checkout, or the file that WHEEL names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1 group=$2 python=$3
recorded=(--constraint constraints.txt)

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$python is not Python 3.11 or newer; name another one: make PY=python3.12" >&2
    exit 1
}

failed() {
    echo "$folder was not made: installing the packages of the group $group failed." >&2
    echo "This step needs the package index, and so a network; see the message above." >&2
    exit 1
}

if command -v uv >/dev/null; then
    uv venv --quiet --seed --clear --python "$python" "$folder" || failed
    install() { uv pip install --quiet --python "$folder/bin/python" "$@"; }
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        echo "$python cannot make a virtual environment; on Debian: apt install python3-venv" >&2
        exit 1
    }
    "$python" -m venv --clear "$folder"
    install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
    # The pip of a new environment is too old to read hashes from constraints: first the one of the lock.
    awk '/^[^ ]/ { wanted = /^pip==/ } wanted' constraints.txt | install --require-hashes --requirement /dev/stdin || failed
fi

case $group in
audit | build | lock | sbom) ;; # tools that do not import the package
*)
    ourselves=(--build-constraint constraints.txt --editable .)
    [[ -n ${WHEEL:-} ]] && ourselves=("$WHEEL")
    install --no-deps "${ourselves[@]}" || failed
    ;;
esac
case $group in
agent | examples) recorded=() ;; # programs of others, which pin other versions of what all use
esac
install "${recorded[@]}" --group "$group" || failed
touch "$folder/.made"
