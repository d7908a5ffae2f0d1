"""Spans of time and amounts of money as text for people."""

from decimal import Decimal


def time_span(seconds: float | None) -> str:
    """A span of time as plain text: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds is None:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(*divmod(whole, 60), "min", "s")
    return _two(*divmod(round(seconds / 60), 60), "h", "min")


def _two(large: int, small: int, *names: str) -> str:
    return f"{large} {names[0]}" + (f" {small} {names[1]}" if small else "")


def dollars(cents: Decimal) -> str:
    """An amount of money; fractions of a cent are shown if there are any."""
    amount = cents / 100
    return f"${amount:,.2f}" if amount == round(amount, 2) else f"${amount.normalize():,f}"
