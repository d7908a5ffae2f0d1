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
        "decompressed bodies have no size limit",
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
        "unknown content encodings are ignored",
        _READING,
        'if encoding in {"", "identity"}:',
        'if encoding != "gzip":',
        ("C2",),
    ),
    Mutant(
        "the size limit of bodies is four times as large",
        _READING,
        "if size > limit:",
        "if size > 4 * limit:",
        ("C3",),
    ),
    Mutant(
        "truncated JSON is read as null",
        _JSON,
        '        problem = f"{error.msg} at character {error.pos}"\n',
        "        return {}\n",
        ("C4", "C5"),
    ),
    Mutant(
        "a prefix of a status counts as the status",
        _CONVERSION,
        'return TaskStatus(match[1].decode("ascii"))',
        'return next(s for s in TaskStatus if s.value.startswith(match[1].decode("ascii")))',
        ("C4",),
    ),
    Mutant(
        "an unusable response to a read is not retried",
        "transport/response.py",
        "    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)",
        "    return Outcome(OutcomeKind.NOT_SENT, reply=reply, problem=problem, path=path,"
        " transient=False)",
        ("C4", "C12", "C17"),
    ),
    # --- JSON ---------------------------------------------------------------------------------
    Mutant(
        "the last of two equal JSON keys is used",
        _JSON,
        "if len(mapping) != len(pairs):",
        "if False:",
        ("C5",),
    ),
    Mutant(
        "NaN is accepted as JSON",
        _JSON,
        '    raise JsonRefusedError(f"{name} is not JSON")',
        "    return float(name)  # type: ignore[return-value]",
        ("C5",),
    ),
    Mutant(
        "lone surrogates are accepted",
        _JSON,
        'if re.compile(_SURROGATE).search(text, text.find("\\\\"), text.rfind("\\\\") + 4):',
        "if False:",
        ("C5",),
    ),
    Mutant(
        "JSON nesting has no limit",
        _JSON,
        "except RecursionError:",
        "except ZeroDivisionError:",
        ("C5",),
    ),
    Mutant(
        "JSON numbers have no limit of digits",
        _JSON,
        "    except ValueError:\n",
        "    except ZeroDivisionError:\n",
        ("C5",),
    ),
    # --- values -------------------------------------------------------------------------------
    Mutant(
        "any JSON value is accepted as a status",
        _SCALARS,
        "    if isinstance(value, str) and value:\n        return TaskStatus(value)",
        "    if value is not None:\n        return TaskStatus(str(value))",
        ("C6",),
    ),
    Mutant(
        "values that resemble true are accepted as true",
        _CONVERSION,
        "        if isinstance(value, bool):\n            return value\n",
        "        if value is not None:\n            return bool(value)\n",
        ("C7",),
    ),
    Mutant(
        "amounts are parsed as floats",
        _BALANCE,
        "number = Decimal(str(value))",
        "number = Decimal(float(value))",
        ("C8",),
    ),
    Mutant("NaN is accepted as an amount", _BALANCE, "if number.is_finite():", "if True:", ("C8",)),
    Mutant(
        "true is accepted as an integer",
        _SCALARS,
        "    if isinstance(value, int) and not isinstance(value, bool):\n",
        "    if isinstance(value, int):\n",
        ("C9",),
    ),
    Mutant(
        "any number is accepted as a boolean",
        _SCALARS,
        "if isinstance(value, int | float) and value in {0, 1}:",
        "if isinstance(value, int | float):",
        ("C9",),
    ),
    Mutant(
        "unknown fields are dropped",
        _STRUCTURING,
        "if value.keys() - known:",
        "if False:",
        ("C10",),
    ),
    Mutant(
        "null is not treated as a missing field",
        _STRUCTURING,
        "if None in value.values():",
        "if False:",
        ("C9", "C10"),
    ),
    Mutant(
        "an error message quotes the value that it found",
        _SCALARS,
        '    raise MismatchError("expected a status")',
        '    raise MismatchError(f"expected a status, not {value!r}")',
        ("C10", "C16"),
    ),
    Mutant(
        "a timestamp without a zone stays naive",
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
        "calls without a result insist on JSON",
        _CONVERSION,
        "    if returns is None:\n        return None\n",
        "    if returns is None:\n        read_json(body)\n        return None\n",
        ("C12", "C16"),
    ),
    Mutant(
        "an HTML page is not named in the error",
        _FAILURES,
        'is_page = outcome.reply is not None and outcome.reply.body.lstrip()[:1] == b"<"',
        "is_page = False",
        ("C12",),
    ),
    Mutant(
        "a misfit may raise any exception",
        _STRUCTURING,
        "except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):",
        "except ValueError:",
        ("C10", "C16"),
    ),
    # --- lists --------------------------------------------------------------------------------
    Mutant(
        "an iterator reads a repeating list without end",
        _PAGING,
        "if self.covered >= total or self._stale > patience:",
        "if self.covered >= total:",
        ("C13",),
    ),
    Mutant(
        "any change of total_count explains a shift",
        _PAGING,
        "explained = min(self._explained, MOST_EXPLAINED * self.page_size)",
        "explained = self._explained",
        ("C13",),
    ),
    Mutant(
        "reconciling reads a repeating list without end",
        "lifecycle/reconcile.py",
        "while self._is_searching() and repeated < REPEATED_PAGES:",
        "while self._is_searching() and repeated < 100 * REPEATED_PAGES:",
        ("C13",),
    ),
    Mutant(
        "an iterator does not step back after deletions",
        _PAGING,
        "self.covered = max(self.covered + change, 0)",
        "self.covered = max(self.covered + max(change, 0), 0)",
        ("C14",),
    ),
    Mutant(
        "rows that were seen are yielded again",
        "paging/seen.py",
        "fresh = {row.id: row for row in rows if row not in self}",
        "fresh = {row.id: row for row in rows}",
        ("C14",),
    ),
    Mutant(
        "rows created during the iteration are yielded",
        _PAGING,
        "return [row for row in fresh if not self.is_new(row)]",
        "return fresh",
        ("C14",),
    ),
    Mutant(
        "an iterator over schedules does not step back after deletions",
        _PAGING,
        "if change < 0 or grows_above:",
        "if grows_above:",
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
        "error messages quote a megabyte",
        _FAILURES,
        'return " ".join(printable.split())[:length]',
        'return " ".join(printable.split())',
        ("C15",),
    ),
    Mutant(
        "get-task may return another task",
        "transport/response.py",
        "if identity is None or (found := getattr(value, identity)) == prepared.resource_id:",
        "if True:",
        ("C17",),
    ),
    Mutant(
        "a connection with another call's response stays in the pool",
        "transport/connection_pool.py",
        "        protocol.close()",
        "        pass",
        ("C17",),
    ),
    Mutant(
        "an output that does not fit its type is dropped",
        "types/tasks.py",
        "        raw_output=task.output,",
        "        raw_output=None,",
        ("C18",),
    ),
    Mutant(
        "an output that does not fit its type is returned unparsed",
        "types/tasks.py",
        "    except parse.OutputMismatchError as error:\n        problem = str(error)\n",
        "    except parse.OutputMismatchError:\n        return ParsedTask.of(task, task.output)\n",
        ("C18",),
    ),
)
