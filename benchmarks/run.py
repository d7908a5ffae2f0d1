"""Runs every benchmark and prints its table: `make bench`."""

import importlib

BENCHMARKS = ("status_call", "file_transfer")


def main() -> None:
    """Run them one after the other, so that none disturbs another."""
    for name in BENCHMARKS:
        print(f"## {name}\n\n{importlib.import_module(name).table()}\n", flush=True)


if __name__ == "__main__":
    main()
