"""Instructions for executors without a language model, read by strict patterns.

`clauses` cuts the text of a task into clauses, `patterns` has one row for each instruction, whose
pattern is tried on a whole clause, and `plan` makes a plan of all clauses and of what is asked for.
Another instruction is another row, one in the table of `docs/browser.md`, and an example in
`tests/server/plain/test_plan.py` or `tests/server/browser/test_plan.py`. A pattern takes time in
proportion to the clause: it has no two repetitions that can match the same characters.
"""
