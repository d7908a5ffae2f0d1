#!/usr/bin/env bash
# Builds the source archive and the wheel from it, and uses the wheel as its users do, away from the
# checkout: scripts/wheel.sh BUILDER PYTHON, which are the Python with the build tools and that of the user.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

builder=$(realpath --no-symlinks "$1") python=$2 checkout=$PWD
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "== building"
"$builder" -m build --no-isolation --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 ||
    { cat "$scratch/build.log"; exit 1; }
ls -l "$scratch/dist"
wheel=$(echo "$scratch"/dist/*.whl)

"$python" -m venv "$scratch/fresh"
program=$scratch/fresh/bin/python
install() {
    "$builder" -m pip --python "$program" install --quiet --constraint "$checkout/constraints.txt" "$@" ||
        { echo "installing the wheel needs the package index, and so a network" >&2; exit 1; }
}

echo "== using the wheel without extras"
"$builder" -m pip --python "$program" install --quiet --no-deps --no-index "$wheel"
install browser-use-async
cp scripts/smoke.py "$scratch/smoke.py"
mkdir "$scratch/elsewhere"
cd "$scratch/elsewhere"
"$program" "$scratch/smoke.py" "$checkout" scripted
code=0
said=$("$scratch/fresh/bin/browser-use-async" --help 2>&1) || code=$?
[[ $code == 2 && $said == *"browser-use-async[cli]"* ]] || { echo "without the extra: $code, $said" >&2; exit 1; }

echo "== using it with the extras of the command line and of what reads pages"
install "browser-use-async[cli,otel,server]" pytest pytest-asyncio pytest-timeout anyio # of the page about programs without a loop
"$program" "$scratch/smoke.py" "$checkout" plain
"$program" -m browser_use_async demo </dev/null
"$scratch/fresh/bin/bua" --version

echo "== running the blocks of README and docs against it"
mkdir -p "$scratch/reader/tests"
cd "$checkout"
cp -r README.md docs scripts "$scratch/reader/" # the tables of the pages are made by scripts/command_tables.py
cp -r tests/docs "$scratch/reader/tests/"
touch "$scratch/reader/tests/__init__.py"
cd "$scratch/reader" # where no checkout and no other package is: without the tests of these
"$program" -m pytest -q -W error --timeout 60 -o asyncio_mode=auto \
    -o asyncio_default_fixture_loop_scope=function \
    -o $'markers=\nlong: takes a second or more\ntorture: starts a browser' \
    --deselect tests/docs/test_blocks.py::test_links_lead_somewhere \
    --deselect tests/docs/test_blocks.py::test_the_navigation_has_all_pages \
    --deselect tests/docs/test_testing_page.py::test_the_guard_refuses_what_is_not_installed \
    --deselect tests/docs/test_blocks.py::test_the_first_commands_work_in_a_checkout tests/docs
