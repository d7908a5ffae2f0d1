"""Redaction of task secrets in everything that an executor reports."""

import html
import json
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

import attrs

from browser_use_async.server.records import Failed, Finished, Step, StepTrace
from browser_use_async.server.secrets.one_time_codes import is_seed, latest_codes

_SHORTEST = 4
"""Shorter values are parts of ordinary words, so replacing them would protect nothing."""

# The longest first, since a part of UTF-32 looks like UTF-16.
_ENCODINGS = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be", "utf-8")


class SecretRedactor:
    """Replaces the values of task secrets by `***`."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.values = sorted({each for each in secrets.values() if len(each) >= _SHORTEST})
        """The secrets that are replaced."""
        self._seeds = [each for each in self.values if is_seed(each)]
        spelled = {form for value in self.values for form in _spellings(value)}
        # The longest first: one secret may contain another.
        self._values = sorted(spelled, key=len, reverse=True)
        self._encoded = [
            (value.encode(encoding, "surrogatepass"), "***".encode(encoding))
            for value in self._values
            for encoding in _ENCODINGS
        ]

    def text(self, text: str) -> str:
        """The text without secrets."""
        for value in (*self._values, *self._codes()):
            text = text.replace(value, "***")
        return text

    def _codes(self) -> list[str]:
        """The one-time codes that may have been typed by now."""
        return [code for seed in self._seeds for code in latest_codes(seed)]

    def content(self, content: bytes) -> bytes:
        """The content of a file without secrets, in UTF-8, UTF-16 or UTF-32."""
        codes = [(each.encode(), b"***") for each in self._codes()]
        for value, mask in (*self._encoded, *codes):
            content = content.replace(value, mask)
        return content

    def step(self, step: Step) -> Step:
        """The step without secrets."""
        return attrs.evolve(
            step,
            next_goal=self.text(step.next_goal),
            evaluation_previous_goal=self.text(step.evaluation_previous_goal),
            url=self.text(step.url),
            trace=step.trace and self.trace(step.trace),
        )

    def trace(self, trace: StepTrace) -> StepTrace:
        """The trace of a step, without secrets."""
        failed = [
            attrs.evolve(each, url=self.text(each.url), problem=self.text(each.problem))
            for each in trace.failed
        ]
        return attrs.evolve(
            trace,
            addresses=[self.text(each) for each in trace.addresses],
            console=[self.text(each) for each in trace.console],
            failed=failed,
            slowest=self.text(trace.slowest),
        )

    def result(self, result: Finished) -> Finished:
        """The result without secrets in its output and in the names of its files."""
        output = result.output and self.text(result.output)
        return attrs.evolve(result, output=output, files=self._named(result.files))

    def failure(self, failure: Failed) -> Failed:
        """The failure without secrets, also in the names of its files."""
        return attrs.evolve(
            failure,
            reason=self.text(failure.reason),
            url=self.text(failure.url),
            next_goal=self.text(failure.next_goal),
            trace=failure.trace and self.trace(failure.trace),
            files=self._named(failure.files),
        )

    def _named(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """The files by names without secrets, and without characters that no link may contain."""
        names = (self.text(name).encode("utf-8", "replace").decode() for name in files)
        return dict(zip(names, files.values(), strict=True))


def _spellings(value: str) -> set[str]:
    """The value itself, and its escaped forms in URLs, JSON and HTML."""
    # A URL may contain a secret in its path or in a form field, which have different encodings.
    plain = {quote(value), quote(value, safe=""), quote_plus(value), html.escape(value)}
    return {value, *plain, *(json.dumps(value, ensure_ascii=each)[1:-1] for each in (True, False))}
