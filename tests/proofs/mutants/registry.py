"""All mutants: each file `ROOM.toml` beside this module is a table of them.

```toml
["the removed defence"]
at = "FILE::FUNCTION"
before = 'what stands there'
after = 'what comes there instead'  # not given if statements are removed
killers = ["the tests that must fail"]
```
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.proofs.mutants.mutant import Mutant

__all__ = ["MUTANTS"]


def _rows() -> Iterator[Mutant]:
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        for name, row in tomllib.loads(path.read_text("utf-8")).items():
            file, _, where = row.pop("at").partition("::")
            yield Mutant(name, file, where, **row)


MUTANTS: tuple[Mutant, ...] = tuple(_rows())
