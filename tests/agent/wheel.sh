#!/usr/bin/env bash
# Has the wheel carry out a real task with the agent, away from the checkout:
# tests/agent/wheel.sh BUILDER PYTHON AGENT_PYTHON
#
# AGENT_PYTHON is one that has browser-use, which the documentation keeps apart from the server.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

builder=$1 python=$2 agent=$(realpath --no-symlinks "$3") checkout=$PWD
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
scratch=$(mktemp -d)
chmod 755 "$scratch" # the browser of a server that runs as root has a user of its own
trap 'rm -rf "$scratch"' EXIT

"$builder" -m build --no-isolation --wheel --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 ||
    { cat "$scratch/build.log"; exit 1; }
"$python" -m venv "$scratch/fresh"
install() {
    "$builder" -m pip --python "$scratch/fresh/bin/python" install --quiet --constraint constraints.txt "$@" ||
        { echo "installing the wheel needs the package index, and so a network" >&2; exit 1; }
}
"$builder" -m pip --python "$scratch/fresh/bin/python" install --quiet --no-deps --no-index "$scratch"/dist/*.whl
install "browser-use-async[cli,browser,server]"
cd "$scratch"
"$scratch/fresh/bin/python" "$checkout/tests/agent/from_wheel.py" "$checkout" "$agent"
