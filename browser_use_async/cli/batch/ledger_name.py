"""What `--ledger` and `LEDGER` name: a file, or the address of a ledger in PostgreSQL."""

from pathlib import Path

from browser_use_async.batch.postgres.address import LedgerAddress, is_address, require_packages

LedgerName = Path | str


def ledger_name(text: str) -> LedgerName:
    """The value of an option: an address stays as it is, since a path has no `//`."""
    return text if is_address(text) else Path(text)


def shown_ledger(ledger: LedgerName) -> str:
    """A ledger as people are shown it: an address without its password."""
    return str(ledger) if isinstance(ledger, Path) else str(LedgerAddress.parse(ledger))


def ledger_exists(ledger: LedgerName) -> bool:
    """Whether there is such a ledger.

    Raises:
        LedgerError: The server of an address cannot be reached.
        InvalidRequestError: An address is malformed.
        ConfigurationError: An address needs packages that are not installed.
    """
    if isinstance(ledger, Path):
        return ledger.exists()
    address = LedgerAddress.parse(ledger)
    require_packages("psycopg")
    # Loaded by those who use it.
    from browser_use_async.batch.postgres.reader import exists  # noqa: PLC0415

    return exists(address)
