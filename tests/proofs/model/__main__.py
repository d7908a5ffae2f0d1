"""Search the model of paying once, and print the results: `make proof-model`.

The exit code is 1 if a variant has the wrong result.
"""

import argparse
import sys
from collections.abc import Sequence

from tests.proofs.model.search import Verdict
from tests.proofs.model.variants import LARGE, QUEUE, REFUTED, TRUE, WEAK_QUEUE, WITH_KEYS, Variant

_QUICK = (
    ("as built", TRUE),
    ("with submission keys", WITH_KEYS),
    ("queues", QUEUE),
    ("weakened", REFUTED + WEAK_QUEUE),
)


def main(words: Sequence[str]) -> int:
    """Search, print, and return whether all results are right."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.model", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the large scopes")
    parser.add_argument("--traces", action="store_true", help="print each counterexample")
    parser.add_argument("--most", type=int, help="states of each variant, at most")
    parser.add_argument("--only", default="", help="variants with this text in their name")
    given = parser.parse_args(words)
    print(f"{'variant':<46}{'states':>12}{'depth':>7}{'seconds':>9}  verdict")
    wrong, states, seconds = 0, 0, 0.0
    for title, variants in _QUICK if given.quick else (*_QUICK, ("large", LARGE)):
        print(f"-- {title}")
        for each in (each for each in variants if given.only in each.name):
            found = each.search(given.most)
            wrong += _is_wrong(each, found)
            states, seconds = states + found.states, seconds + found.seconds
            _print(each, found, has_trace=given.traces)
    print(f"{states:,} states in {seconds:,.0f} s; {wrong} not as they must be")
    return int(wrong > 0)


def _is_wrong(variant: Variant, found: Verdict) -> bool:
    return (found.problem is not None) != variant.is_refuted


def _print(variant: Variant, found: Verdict, *, has_trace: bool) -> None:
    text = (
        f"{variant.name:<46}{found.states:>12,}{found.depth:>7}{found.seconds:>9.1f}  {found.text}"
    )
    if found.problem is not None:
        text += f", in {len(found.trace) - 1} steps"
    if _is_wrong(variant, found):
        text += "  NOT AS IT MUST BE"
    print(text, flush=True)
    for number, step in enumerate(found.trace if has_trace else ()):
        print(f"  {number:>3} {step.label}\n      {step.state}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
