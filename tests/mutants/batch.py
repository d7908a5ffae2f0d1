"""Mutants of batches and their ledger."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "nobody waits for the intent to be on the disk",
        "batch/record.py",
        "            await self.record.writer.do(intend)\n",
        "            self.record.writer.tell(intend)\n",
        ("I2", "I21"),
    ),
    Mutant(
        "an intent without an answer is sent again at once",
        "batch/way.py",
        "DOUBTFUL = frozenset({ItemState.INTENT, ItemState.UNKNOWN})\n",
        "DOUBTFUL = frozenset({ItemState.UNKNOWN})\n",
        ("I3", "I4"),
    ),
    Mutant(
        "a lost task is looked for only once",
        "batch/way.py",
        "reconciler.find(submission.token, self.run.options.settle_window)",
        "reconciler.find(submission.token, 0.0)",
        ("I2",),
    ),
    Mutant(
        "any database is a ledger",
        "batch/ledger/schema.py",
        ".fetchone()[0] != APPLICATION_ID:",
        ".fetchone()[0] == -1:",
        ("I5",),
    ),
    Mutant(
        "an error of the disk does not say which task exists",
        "batch/record.py",
        '            "finds it by the mark that it carries",\n            task_id=task_id,\n',
        '            "finds it by the mark that it carries",\n',
        ("I6",),
    ),
    Mutant(
        "a ledger has several owners",
        "batch/ledger/opening.py",
        'owner.execute("BEGIN EXCLUSIVE")',
        'owner.execute("BEGIN")',
        ("I7",),
    ),
    Mutant(
        "a ledger of a newer version is written to",
        "batch/ledger/schema.py",
        "    if version > VERSION:\n",
        "    if version < VERSION:\n",
        ("I8",),
    ),
    Mutant(
        "a budget is doubled",
        "batch/budget.py",
        "+ expected <= self.budget_cents\n",
        "+ expected <= 2 * self.budget_cents\n",
        ("I9",),
    ),
    Mutant(
        "an empty balance is the item's fault",
        "batch/way.py",
        "            except errors.PaymentRequiredError:\n",
        "            except ZeroDivisionError:\n",
        ("I10",),
    ),
    Mutant(
        "any key will do",
        "batch/entries.py",
        "    if not good:\n",
        "    if good is None:\n",
        ("I11",),
    ),
    Mutant(
        "a key may mean anything",
        "batch/ledger/store.py",
        "        if changed and (repeated or state is not ItemState.DEAD):\n",
        "        if changed and state is None:\n",
        ("I12",),
    ),
    Mutant(
        "items are known by their places",
        "batch/entries.py",
        "key=name or digest.hex()[:32]",
        "key=name or str(index)",
        ("I12", "I13"),
    ),
    Mutant(
        "tasks are left running whatever was asked for",
        "batch/closing.py",
        'stops = run.options.on_cancel == "stop"',
        'stops = run.options.on_cancel == "never"',
        ("I14",),
    ),
    Mutant(
        "more run at once than asked for",
        "batch/batch.py",
        "len(self._workers) < self._options.concurrency",
        "len(self._workers) < 2 * self._options.concurrency",
        ("I15",),
    ),
    Mutant(
        "what was refused a slot counts as sent",
        "batch/record.py",
        "        self.record.writer.tell(lambda store: store.withdraw(position))\n",
        "        assert position is not None\n",
        ("I16",),
    ),
    Mutant(
        "every answer is kept, however large",
        "batch/ledger/store.py",
        "len(output) > MAX_KEPT_OUTPUT",
        "len(output) < 0",
        ("I17",),
    ),
    Mutant(
        "nobody looks for tasks too many",
        "batch/orphans.py",
        "row.id != doubt.task_id",
        "row.id == doubt.key",
        ("I18",),
    ),
    Mutant(
        "tokens are believed to hold the service's time whoever stamped them",
        "batch/orphans.py",
        "not all(token.by_service for token in tokens)",
        "not tokens",
        ("I19",),
    ),
)
