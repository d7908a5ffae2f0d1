"""What is said of a setting, once: its kind, default, option, variable and help."""

import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import checks
from browser_use_async.server.secrets.sources import is_source, read_secret

P = ParamSpec("P")
SettingsT = TypeVar("SettingsT")
OwnerT = TypeVar("OwnerT")

_METADATA = "setting"


@attrs.frozen(kw_only=True)
class Kind:
    """A kind of value: its name for people, how it is checked, and how it is read from a text."""

    unit: str  # what a value is, in the table of the settings: "seconds", "file"
    check: checks.Check
    metavar: str = ""
    # Raises ValueError or ConfigurationError with a sentence about a text that is no value
    parse: Callable[[str], Any] = str
    # Makes the value of an option that can be repeated; None of one that cannot
    gather: Callable[[list[Any]], Any] | None = None
    # Whether a text shows a secret in the process list; None where there is none
    reveals: Callable[[str], bool] | None = None
    choices: tuple[str, ...] = ()
    is_flag: bool = False  # whether the option has no value, and turns the default round
    implied: Any = None  # what the option means without a value; None if it needs one


@attrs.frozen(kw_only=True)
class Setting:
    """What people read of a setting, and where it is set besides in a program."""

    kind: Kind
    default: Any
    help: str  # a clause for `--help`
    more: str = ""  # what the table in the documentation adds
    option: str | None = None  # None for a setting of programs only
    variable: str | None = None  # the environment variable that has it, unless it is given
    executor: str | None = None  # the only one that it is for
    served: Any = None  # the default of `serve`, where it is another
    otherwise: str = ""  # the default in words, where the value says nothing to people
    leads: bool = False  # whether it is among the first of the help
    explained: bool = False  # whether the help has more than its name

    def unset(self) -> Any:
        """The value if none is given: that of the environment variable, or the default.

        Raises:
            ConfigurationError: The variable has a text that is no value.
        """
        text = "" if self.variable is None else os.environ.get(self.variable, "").strip()
        if text:
            try:
                value = self.kind.parse(text)
            except (ConfigurationError, ValueError) as error:
                raise ConfigurationError(f"{self.variable}: {error}") from None
            return value if self.kind.gather is None else self.kind.gather([value])
        is_made: bool = isinstance(self.default, attrs.Factory)  # type: ignore[arg-type]
        return self.default.factory() if is_made else self.default

    def default_text(self) -> str:
        """The default of `serve`, as people read it; empty if there is none."""
        return ", else ".join(filter(None, (self.variable, self._without_variable())))

    def _without_variable(self) -> str:
        default = self.default if self.served is None else self.served
        if self.otherwise:
            return self.otherwise
        if isinstance(default, bool) or not isinstance(default, str | int | float | Decimal):
            return ""
        return f"{default:.15g}" if isinstance(default, float) else str(default)


def setting(default: Any, kind: Kind, clause: str, **rest: Any) -> Any:
    """A field of settings, checked by its kind; a secret is left out of the repr."""
    found = Setting(kind=kind, default=default, help=clause, **rest)
    return attrs.field(
        default=default if found.variable is None else attrs.Factory(found.unset),
        repr=kind.reveals is None,
        validator=_check,
        metadata={_METADATA: found},
    )


def unlisted(default: Any, check: checks.Check) -> Any:
    """A field that only tests set: no option has it, and no page names it."""
    return attrs.field(
        default=default, validator=lambda owner, field, value: check(_place(owner, field), value)
    )


def _check(owner: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    found: Setting = field.metadata[_METADATA]
    if value is not None or found.default is not None:
        found.kind.check(_place(owner, field), value)


def _place(owner: Any, field: "attrs.Attribute[Any]") -> str:
    return f"{getattr(owner, 'called', type(owner).__name__)}.{field.name}"


def settings_of(owner: type) -> Iterator[tuple["attrs.Attribute[Any]", Setting]]:
    """The fields of a class that are settings."""
    for field in attrs.fields(owner):
        if _METADATA in field.metadata:
            yield field, field.metadata[_METADATA]


def own_settings(owner: type) -> list[tuple["attrs.Attribute[Any]", Setting]]:
    """Those that the class does not have from another group."""
    own = inspect.get_annotations(owner)
    return [(field, each) for field, each in settings_of(owner) if field.name in own]


def setting_of(owner: type, name: str) -> Setting:
    """The setting of a field."""
    found: Setting = attrs.fields_dict(owner)[name].metadata[_METADATA]
    return found


def keywords_of(
    settings: Callable[P, SettingsT],
) -> Callable[[Callable[[OwnerT, SettingsT], None]], Callable[Concatenate[OwnerT, P], None]]:
    """A decorator of `__init__`, which gets settings: its class takes their fields as keywords."""
    fields = inspect.signature(settings).parameters

    def decorate(
        construct: Callable[[OwnerT, SettingsT], None],
    ) -> Callable[Concatenate[OwnerT, P], None]:
        @functools.wraps(construct)
        def __init__(  # noqa: N807
            owner: OwnerT, /, *given: P.args, **keywords: P.kwargs
        ) -> None:
            checks.refuse_unknown(type(owner).__name__, keywords, fields)
            construct(owner, settings(*given, **keywords))

        owner = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        signature = inspect.Signature([owner, *fields.values()])
        __init__.__signature__ = signature  # type: ignore[attr-defined]
        return __init__

    return decorate


# --- kinds ----------------------------------------------------------------------------------


def whole(least: float, most: float = math.inf, unit: str = "number", metavar: str = "N") -> Kind:
    """Whole numbers within bounds."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if value < least:
            raise ValueError(f"must be {least} or more, not {value}")
        if value > most:
            raise ValueError(f"must be {most:g} or less, not {value}")
        return value

    def check(field: str, value: object) -> None:
        checks.integer(field, value, least, most)

    bounds = f"from {least}" if most == math.inf else f"{least} to {most:g}"
    return Kind(unit=f"{unit}, {bounds}", metavar=metavar, parse=parse, check=check)


def one_of(*words: str, metavar: str = "WORD") -> Kind:
    """One of some words."""
    return Kind(
        unit=", ".join(words),
        metavar=metavar,
        choices=words,
        check=lambda field, value: checks.one_of(field, value, words),
    )


def amount(unit: str, metavar: str) -> Kind:
    """Amounts of money; how much it may be is for the account to say."""

    def check(field: str, value: Any) -> None:
        if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
            raise ConfigurationError(f"{field}: {checks.shown(value)} is no amount in {unit}")

    def parse(text: str) -> Decimal:
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            raise ValueError(f"must be a number of {unit}, not {text!r}")
        return value

    return Kind(unit=unit, metavar=metavar, parse=parse, check=check)


def value_of(kind: type, unit: str) -> Kind:
    """Objects of a class, which no option makes."""
    return Kind(unit=unit, check=lambda field, value: checks.instance(field, value, kind))


def parse_url(text: str) -> str:
    """An address that begins with http(s)://."""
    try:
        is_one = text.startswith(("http://", "https://")) and bool(URL(text).host)
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError(f"{text!r} is no address that begins with http(s)://")
    return text


def secret(unit: str = "secret", metavar: str = "KEY") -> Kind:
    """Texts that no other user may see."""
    return Kind(
        unit=unit,
        metavar=metavar,
        parse=read_secret,
        reveals=lambda text: not is_source(text),
        check=_hidden_text,
    )


def _hidden_text(field: str, value: object) -> None:
    if not isinstance(value, str):  # the value is not shown
        raise ConfigurationError(f"{field} is no text")


TEXT = Kind(unit="text", metavar="NAME", check=checks.text)
URL_TEXT = Kind(unit="URL", metavar="URL", check=checks.text)
PATH = Kind(unit="file", metavar="FILE", check=checks.path)
FLAG = Kind(unit="yes or no", check=checks.flag, is_flag=True)
SECONDS = Kind(unit="seconds, from 0", check=checks.seconds)
COUNT = whole(1)
