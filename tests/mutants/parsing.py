"""Mutants of answers."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_READING = "transport/response.py"
_JSON = "api/json.py"
_CONVERSION = "api/serialization.py"
_STRUCTURING = "api/converter.py"
_SCALARS = "api/scalars.py"
_FAILURES = "transport/error_factory.py"

MUTANTS: tuple[Mutant, ...] = (
    # --- bodies -------------------------------------------------------------------------------
    Mutant(
        "a gzip stream need not have its trailer",
        _READING,
        "gunzip",
        "problem is None and not decompressor.eof",
        "False",
        ("transport/test_compression.py::test_truncated_compression_is_detected_at_every_offset",),
    ),
    Mutant(
        "decompressed bodies have no size limit",
        _READING,
        "gunzip",
        "decompressor.unconsumed_tail and not _stays_within(decompressor, limit - len(plain))",
        "False",
        ("transport/test_compression.py::test_a_bomb_is_an_error_of_the_call",),
    ),
    Mutant(
        "a body is decompressed before it is measured",
        _READING,
        "gunzip",
        "min(limit, UNMEASURED)",
        "limit",
        ("transport/test_compression.py::test_a_gigabyte_costs_no_memory",),
    ),
    Mutant(
        "unknown content encodings are ignored",
        _READING,
        "read_body",
        'encoding in {"", "identity"}',
        'encoding != "gzip"',
        ("transport/test_compression.py::test_encodings_that_were_not_asked_for_are_refused",),
    ),
    Mutant(
        "the size limit of bodies is four times as large",
        _READING,
        "read_body",
        "size > limit",
        "size > 4 * limit",
        ("transport/test_compression.py::test_a_body_without_an_end_is_cut_off",),
    ),
    Mutant(
        "truncated JSON is read as null",
        _JSON,
        "read_json",
        'problem = f"{error.msg} at character {error.pos}"',
        "return {}",
        (
            "api/test_conversion.py::test_refused_bodies",
            "transport/test_response.py::test_no_part_of_a_bare_status_is_another_status",
        ),
    ),
    Mutant(
        "a prefix of a status counts as the status",
        _CONVERSION,
        "decode_response",
        'TaskStatus(match[1].decode("ascii"))',
        'next(s for s in TaskStatus if s.value.startswith(match[1].decode("ascii")))',
        ("transport/test_response.py::test_no_part_of_a_bare_status_is_another_status",),
    ),
    Mutant(
        "an unusable response to a read is not retried",
        "transport/request.py",
        "classify_reply",
        "Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)",
        """
            Outcome(OutcomeKind.NOT_SENT, reply=reply, problem=problem, path=path, transient=False)
        """,
        (
            "transport/test_response.py::test_a_body_that_ends_with_the_connection_must_be_whole",
            "transport/test_response.py::test_a_web_page_is_no_answer",
            "transport/test_response.py::test_an_answer_about_another_task_is_not_passed_on",
        ),
    ),
    # --- JSON ---------------------------------------------------------------------------------
    Mutant(
        "the last of two equal JSON keys is used",
        _JSON,
        "_no_duplicates",
        "len(mapping) != len(pairs)",
        "False",
        ("api/test_conversion.py::test_refused_bodies",),
    ),
    Mutant(
        "NaN is accepted as JSON",
        _JSON,
        "_no_constant",
        'raise JsonRefusedError(f"{name} is not JSON")',
        "return float(name)",
        ("api/test_conversion.py::test_refused_bodies",),
    ),
    Mutant(
        "lone surrogates are accepted",
        _JSON,
        "read_json",
        're.compile(_SURROGATE).search(text, text.find("\\\\"), text.rfind("\\\\") + 4)',
        "False",
        ("api/test_conversion.py::test_refused_bodies",),
    ),
    Mutant(
        "JSON nesting has no limit",
        _JSON,
        "read_json",
        "RecursionError",
        "ZeroDivisionError",
        ("api/test_conversion.py::test_refused_bodies",),
    ),
    Mutant(
        "JSON numbers have no limit of digits",
        _JSON,
        "read_json",
        "ValueError",
        "ZeroDivisionError",
        ("api/test_conversion.py::test_refused_bodies",),
    ),
    # --- values -------------------------------------------------------------------------------
    Mutant(
        "any JSON value is accepted as a status",
        _SCALARS,
        "read_status",
        """
            if isinstance(value, str) and value:
                return TaskStatus(value)
        """,
        """
            if value is not None:
                return TaskStatus(str(value))
        """,
        ("api/test_conversion.py::test_what_is_no_status",),
    ),
    Mutant(
        "values that resemble true are accepted as true",
        _CONVERSION,
        "decode_response",
        """
            if isinstance(value, bool):
                return value
        """,
        """
            if value is not None:
                return bool(value)
        """,
        ("api/test_conversion.py::test_what_is_no_boolean",),
    ),
    Mutant(
        "amounts are parsed as floats",
        _STRUCTURING,
        "_read_amount",
        "str(value)",
        "float(value)",
        ("api/test_conversion.py::test_balance",),
    ),
    Mutant(
        "NaN is accepted as an amount",
        _STRUCTURING,
        "_read_amount",
        "number.is_finite()",
        "True",
        ("api/test_conversion.py::test_what_is_no_amount",),
    ),
    Mutant(
        "true is accepted as an integer",
        _SCALARS,
        "read_integer",
        "isinstance(value, int) and not isinstance(value, bool)",
        "isinstance(value, int)",
        ("api/test_conversion.py::test_what_is_no_integer",),
    ),
    Mutant(
        "any number is accepted as a boolean",
        _SCALARS,
        "read_boolean",
        "isinstance(value, int | float) and value in {0, 1}",
        "isinstance(value, int | float)",
        ("api/test_conversion.py::test_what_is_no_boolean_in_an_object",),
    ),
    Mutant(
        "unknown fields are dropped",
        _STRUCTURING,
        "_model_hook.hook",
        "value.keys() - known",
        "False",
        ("api/test_conversion.py::test_unknown_fields_are_kept",),
    ),
    Mutant(
        "null is not treated as a missing field",
        _STRUCTURING,
        "_model_hook.hook",
        "None in value.values()",
        "False",
        (
            "api/test_conversion.py::test_booleans_as_text",
            "api/test_conversion.py::test_optional_fields_may_be_missing_or_null",
        ),
    ),
    Mutant(
        "an error message quotes the value that it found",
        _SCALARS,
        "read_status",
        'MismatchError("expected a status")',
        'MismatchError(f"expected a status, not {value!r}")',
        (
            "api/test_error_paths.py::test_anything_to_every_decoder",
            "api/test_error_paths.py::test_paths",
        ),
    ),
    Mutant(
        "a timestamp without a zone stays naive",
        "api/scalars.py",
        "parse_timestamp",
        "return aware",
        "return moment",
        ("api/test_conversion.py::test_created_at_shapes",),
    ),
    Mutant(
        "a timestamp beyond the calendar ends the call",
        "api/scalars.py",
        "parse_timestamp",
        "(ValueError, OverflowError)",
        "ValueError",
        ("api/test_timestamps.py::test_garbage",),
    ),
    Mutant(
        "a timestamp that cannot be read is lost",
        _STRUCTURING,
        "_model_hook.hook",
        "result.extra[name] = value[name]",
        "pass",
        ("api/test_conversion.py::test_created_at_garbage",),
    ),
    Mutant(
        "calls without a result insist on JSON",
        _CONVERSION,
        "decode_response",
        "return None",
        """
            read_json(body)
            return None
        """,
        (
            "api/test_error_paths.py::test_anything_to_every_decoder",
            "transport/test_response.py::test_calls_that_answer_nothing_take_anything",
        ),
    ),
    Mutant(
        "an HTML page is not named in the error",
        _FAILURES,
        "error_of",
        'reply is not None and reply.body.lstrip()[:1] == b"<"',
        "False",
        ("transport/test_response.py::test_a_web_page_is_no_answer",),
    ),
    Mutant(
        "a misfit may raise any exception",
        _STRUCTURING,
        "structure",
        "(ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)",
        "ValueError",
        (
            "api/test_conversion.py::test_balance_that_is_missing",
            "api/test_error_paths.py::test_anything_to_every_decoder",
        ),
    ),
    # --- lists --------------------------------------------------------------------------------
    Mutant(
        "an iterator reads a repeating list without end",
        "paging/positions.py",
        "Positions._count_stale",
        "self._stale > patience",
        "False",
        ("paging/test_cursor.py::test_reading_ends_on_servers_with_wrong_answers",),
    ),
    Mutant(
        "any change of total_count explains a shift",
        "paging/positions.py",
        "Positions._count_stale",
        "min(self._explained, MOST_EXPLAINED * self.size)",
        "self._explained",
        ("paging/test_unordered.py::test_reading_ends_on_servers_with_wrong_answers",),
    ),
    Mutant(
        "reconciling reads a repeating list without end",
        "lifecycle/reconcile.py",
        "Reconciler._read_pages",
        "repeated < REPEATED_PAGES",
        "repeated < 100 * REPEATED_PAGES",
        ("lifecycle/test_searching.py::test_a_server_that_repeats_a_page_ends_the_sweep",),
    ),
    Mutant(
        "an iterator does not step back after deletions",
        "paging/positions.py",
        "Positions.process",
        """
            if begin < self.unread:
                self._drop(known)
                return None
        """,
        "",
        ("paging/test_cursor.py::test_births_and_deletions",),
    ),
    Mutant(
        "rows that were seen are yielded again",
        "paging/page_reader.py",
        "PageReader._is_known",
        "row.id in self._read",
        "False",
        ("paging/test_cursor.py::test_births_alone",),
    ),
    Mutant(
        "rows created during the iteration are yielded",
        "paging/page_reader.py",
        "PageReader._is_known",
        "(self._ceiling, self._start.border)",
        "(self._start.border,)",
        ("paging/test_cursor.py::test_births_alone",),
    ),
    Mutant(
        "an iterator over schedules believes that they run from new to old",
        "paging/positions.py",
        "Positions.process",
        "self._newest_first = known[:1] == [False]",
        "self._newest_first = True",
        ("paging/test_unordered.py::test_births_cause_no_miss_and_no_duplicate",),
    ),
    # --- errors, ids, outputs -----------------------------------------------------------------
    Mutant(
        "errors show control characters",
        _FAILURES,
        "printable_line",
        'character if character.isprintable() else " "',
        "character",
        ("transport/test_error_texts.py::test_whatever_the_server_says_can_be_shown",),
    ),
    Mutant(
        "error messages quote a megabyte",
        _FAILURES,
        "printable_line",
        '" ".join(printable.split())[:length]',
        '" ".join(printable.split())',
        ("transport/test_error_texts.py::test_whatever_the_server_says_can_be_shown",),
    ),
    Mutant(
        "get-task may return another task",
        "transport/request.py",
        "classify_reply",
        "identity is None or (found := getattr(value, identity)) == prepared.resource_id",
        "True",
        ("polling/test_faults.py::test_anothers_task_is_not_taken",),
    ),
    Mutant(
        "a connection with another call's response stays in the pool",
        "transport/connection_pool.py",
        "drop_connection",
        "protocol.close()",
        "pass",
        ("transport/test_response.py::test_a_mix_up_leaves_the_connection",),
    ),
    Mutant(
        "an output that does not fit its type is dropped",
        "types/tasks.py",
        "_parsed",
        "raw_output=task.output",
        "raw_output=None",
        ("lifecycle/test_output.py::test_an_output_that_does_not_fit_is_kept",),
    ),
    Mutant(
        "an output that does not fit its type is returned unparsed",
        "types/tasks.py",
        "_parsed",
        """
            try:
                value = parse.parse_output(task.output, output_type)
            except parse.OutputMismatchError as error:
                problem = str(error)
            else:
                return ParsedTask.of(task, value)
        """,
        """
            try:
                value = parse.parse_output(task.output, output_type)
            except parse.OutputMismatchError:
                return ParsedTask.of(task, task.output)
            else:
                return ParsedTask.of(task, value)
        """,
        ("lifecycle/test_output.py::test_an_output_that_does_not_fit_is_kept",),
    ),
)
