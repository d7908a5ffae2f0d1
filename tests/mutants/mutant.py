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
        cases: The cases that must fail for it, each in at least one of its tests.
    """

    name: str
    file: str
    before: str
    after: str
    cases: tuple[str, ...]
