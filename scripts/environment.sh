#!/usr/bin/env bash
# Makes the virtual environment of a dependency group: scripts/environment.sh FOLDER GROUP PYTHON
#
# uv is used where it is installed, else venv and pip. Of a group that has a lock, only the recorded
# files are installed, from whichever server they come.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1 group=$2 python=$3
lock=locks/$group.txt

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
    group_of() { printf '%s' "--group=pyproject.toml:$group"; }
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || {
        echo "$python cannot make a virtual environment; on Debian: apt install python3-venv" >&2
        exit 1
    }
    "$python" -m venv --clear "$folder"
    install() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
    group_of() { printf '%s' "--group=$group"; }
    install --upgrade "pip>=25.1" || failed # older ones do not know --group
fi

case $group in
audit | build | lock | sbom | docs) ourselves=() ;; # tools that do not import the package
*) ourselves=(--editable .) ;;
esac

if [[ -f $lock ]]; then
    install --require-hashes --requirement "$lock" || failed
    if ((${#ourselves[@]})); then
        isolation=()
        "$folder/bin/python" -c 'import hatchling, editables' 2>/dev/null && isolation=(--no-build-isolation)
        install --no-deps "${isolation[@]}" "${ourselves[@]}" || failed
    fi
else
    case $group in
    agent | examples | peers) constrained=() ;; # programs of others, which pin what they need
    *) constrained=(--constraint constraints.txt) ;;
    esac
    install "${constrained[@]}" "$(group_of)" "${ourselves[@]}" || failed
fi
touch "$folder/.made"
