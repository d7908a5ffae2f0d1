"""Mutants of answers."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_READING = "transport/response.py"
_JSON = "api/json.py"
_CONVERSION = "api/serialization.py"
_STRUCTURING = "api/converter.py"
_BALANCE = "api/converter.py"
_SCALARS = "api/scalars.py"
_FAILURES = "transport/error_factory.py"
_PAGING = "paging/cursor.py"

MUTANTS: tuple[Mutant, ...] = (
    # --- bodies -------------------------------------------------------------------------------
    Mutant(
        "a gzip stream need not have its trailer",
        _READING,
        "if problem is None and not decompressor.eof:",
        "if False:",
        ("C1",),
    ),
    Mutant(
        "what gzip expands to has no bound",
        _READING,
        "if decompressor.unconsumed_tail and not _stays_within(decompressor, limit - len(plain)):",
        "if False:",
        ("C2",),
    ),
    Mutant(
        "a body is decompressed before it is measured",
        _READING,
        "decompressor.decompress(body, min(limit, UNMEASURED))",
        "decompressor.decompress(body, limit)",
        ("C2",),
    ),
    Mutant(
        "unknown encodings are taken for none",
        _READING,
        'if encoding in {"", "identity"}:',
        'if encoding != "gzip":',
        ("C2",),
    ),
    Mutant(
        "a body may be four times as large",
        _READING,
        "if size > limit:",
        "if size > 4 * limit:",
        ("C3",),
    ),
    Mutant(
        "JSON that broke off is read as nothing",
        _JSON,
        '        problem = f"{error.msg} at character {error.pos}"\n',
        "        return {}\n",
        ("C4", "C5"),
    ),
    Mutant(
        "part of a status counts as the status",
        _CONVERSION,
        'return TaskStatus(match[1].decode("ascii"))',
        'return next(s for s in TaskStatus if s.value.startswith(match[1].decode("ascii")))',
        ("C4",),
    ),
    Mutant(
        "an answer that is none is final",
        "transport/response.py",
        "    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)",
        "    return Outcome(OutcomeKind.NOT_SENT, reply=reply, problem=problem, path=path,"
        " transient=False)",
        ("C4", "C12", "C17"),
    ),
    # --- JSON ---------------------------------------------------------------------------------
    Mutant(
        "the last of two equal keys is believed",
        _JSON,
        "if len(mapping) != len(pairs):",
        "if False:",
        ("C5",),
    ),
    Mutant(
        "NaN is a number",
        _JSON,
        '    raise JsonRefusedError(f"{name} is not JSON")',
        "    return float(name)  # type: ignore[return-value]",
        ("C5",),
    ),
    Mutant(
        "half a surrogate pair is text",
        _JSON,
        'if re.compile(_SURROGATE).search(text, text.find("\\\\"), text.rfind("\\\\") + 4):',
        "if False:",
        ("C5",),
    ),
    Mutant(
        "depth is nobody's business",
        _JSON,
        "except RecursionError:",
        "except ZeroDivisionError:",
        ("C5",),
    ),
    Mutant(
        "a number has as many digits as it likes",
        _JSON,
        "    except ValueError:\n",
        "    except ZeroDivisionError:\n",
        ("C5",),
    ),
    # --- values -------------------------------------------------------------------------------
    Mutant(
        "anything is a status",
        _SCALARS,
        "    if isinstance(value, str) and value:\n        return TaskStatus(value)",
        "    if value is not None:\n        return TaskStatus(str(value))",
        ("C6",),
    ),
    Mutant(
        "what resembles a yes is one",
        _CONVERSION,
        "    if isinstance(value, bool):\n        return value\n",
        "    if value is not None:\n        return bool(value)\n",
        ("C7",),
    ),
    Mutant(
        "money goes through floats",
        _BALANCE,
        "number = Decimal(str(value))",
        "number = Decimal(float(value))",
        ("C8",),
    ),
    Mutant("NaN is an amount", _BALANCE, "if number.is_finite():", "if True:", ("C8",)),
    Mutant(
        "a yes is a whole number",
        _SCALARS,
        "    if isinstance(value, int) and not isinstance(value, bool):\n",
        "    if isinstance(value, int):\n",
        ("C9",),
    ),
    Mutant(
        "a yes may be any number",
        _SCALARS,
        "if isinstance(value, int | float) and value in {0, 1}:",
        "if isinstance(value, int | float):",
        ("C9",),
    ),
    Mutant(
        "unknown fields are lost",
        _STRUCTURING,
        "if value.keys() - known:",
        "if False:",
        ("C10",),
    ),
    Mutant(
        "null is no absence",
        _STRUCTURING,
        "if None in value.values():",
        "if False:",
        ("C9", "C10"),
    ),
    Mutant(
        "an error quotes what it found",
        _SCALARS,
        '    raise MismatchError("expected a status")',
        '    raise MismatchError(f"expected a status, not {value!r}")',
        ("C10", "C16"),
    ),
    Mutant(
        "a moment without a zone stays so",
        "api/scalars.py",
        "    return aware\n",
        "    return moment\n",
        ("C11",),
    ),
    Mutant(
        "a timestamp beyond the calendar ends the call",
        "api/scalars.py",
        "except (ValueError, OverflowError):",
        "except ValueError:",
        ("C11",),
    ),
    Mutant(
        "a timestamp that cannot be read is lost",
        _STRUCTURING,
        "            result.extra[name] = value[name]",
        "            pass",
        ("C11",),
    ),
    Mutant(
        "calls that answer nothing insist on JSON",
        _CONVERSION,
        "    if endpoint.returns is None:\n        return None\n",
        "    if endpoint.returns is None:\n        read_json(body)\n        return None\n",
        ("C12", "C16"),
    ),
    Mutant(
        "a web page is not called one",
        _FAILURES,
        'if reply is None or reply.body.lstrip()[:1] != b"<":',
        "if True:",
        ("C12",),
    ),
    Mutant(
        "what does not fit may raise anything",
        _STRUCTURING,
        "except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):",
        "except ValueError:",
        ("C10", "C16"),
    ),
    # --- lists --------------------------------------------------------------------------------
    Mutant(
        "a list that repeats itself is read for ever",
        _PAGING,
        "if self.covered >= self.count or self.stale > patience:",
        "if self.covered >= self.count:",
        ("C13",),
    ),
    Mutant(
        "a count that jumps explains everything",
        "paging/unordered.py",
        "explained = min(self._explained, MOST_EXPLAINED * self._page_size)",
        "explained = self._explained",
        ("C13",),
    ),
    Mutant(
        "a search reads a repeating list for ever",
        "lifecycle/reconcile.py",
        "while self._is_searching() and repeated < REPEATED_PAGES:",
        "while self._is_searching() and repeated < 100 * REPEATED_PAGES:",
        ("C13",),
    ),
    Mutant(
        "a reader does not step back when rows go",
        _PAGING,
        "self.covered = max(self.covered + change, 0)",
        "self.covered = max(self.covered + max(change, 0), 0)",
        ("C14",),
    ),
    Mutant(
        "rows are given as often as they are met",
        "paging/seen.py",
        "fresh = {row.id: row for row in rows if row not in self}",
        "fresh = {row.id: row for row in rows}",
        ("C14",),
    ),
    Mutant(
        "rows that are born meanwhile are given",
        _PAGING,
        "return [row for row in fresh if not self.is_new(row)]",
        "return fresh",
        ("C14",),
    ),
    Mutant(
        "a reader of schedules does not step back when rows go",
        "paging/unordered.py",
        "if change < 0 or self.newest_first:",
        "if self.newest_first:",
        ("C14",),
    ),
    # --- errors, ids, outputs -----------------------------------------------------------------
    Mutant(
        "errors show control characters",
        _FAILURES,
        'character if character.isprintable() else " " for character in start',
        "character for character in start",
        ("C15",),
    ),
    Mutant(
        "errors repeat a megabyte",
        _FAILURES,
        'return " ".join(printable.split())[:length]',
        'return " ".join(printable.split())',
        ("C15",),
    ),
    Mutant(
        "get-task may answer with another task",
        "transport/response.py",
        "if identity is None or (found := getattr(value, identity)) == prepared.resource_id:",
        "if True:",
        ("C17",),
    ),
    Mutant(
        "a connection with somebody else's answer stays",
        "transport/connection_pool.py",
        "        protocol.close()",
        "        pass",
        ("C17",),
    ),
    Mutant(
        "an output that does not fit is thrown away",
        "lifecycle/handle.py",
        "        raw_output=task.output,",
        "        raw_output=None,",
        ("C18",),
    ),
    Mutant(
        "an output that does not fit is taken as it is",
        "lifecycle/handle.py",
        "        problem = str(error)\n",
        "        return ParsedTask(**attrs.asdict(task, recurse=False), parsed=task.output)\n",
        ("C18",),
    ),
)
