"""What a mutant is."""

import attrs

__all__ = ["Mutant"]


@attrs.frozen
class Mutant:
    """The package with one defence removed.

    Attributes:
        name: What is removed, in a few words that are unique.
        file: The changed file, from the package's folder.
        before: A text that occurs exactly once in it.
        after: What stands there instead.
        killers: What must fail for it, from the folder of tests: `FILE::FUNCTION` with any
            parameters, or a file or folder of which one test must.
    """

    name: str
    file: str
    before: str
    after: str
    killers: tuple[str, ...]
