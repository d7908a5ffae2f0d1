"""The class of a mutant."""

import attrs

__all__ = ["Mutant"]


@attrs.frozen
class Mutant:
    """The package with one defence removed.

    Attributes:
        name: The removed defence, in a few unique words.
        file: The changed file, from the package's folder.
        where: The qualified name of the function, or of the class if it stands in no function of
            it; empty if it stands in none at all.
        before: The source of what occurs there exactly once: an expression, statements that follow
            each other, or a piece of a text. Its layout does not matter.
        after: The replacement; nothing if statements are removed.
        killers: The tests that must fail for it, from the folder of tests: `FILE::FUNCTION` with
            any parameters, or a file or folder of which one test must.
    """

    name: str
    file: str
    where: str
    before: str
    after: str = ""
    killers: tuple[str, ...] = attrs.field(kw_only=True, converter=tuple)
