"""Options made from settings, and the settings that were given with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
import click

from browser_use_async.cli.options import Choice, Option, complete_files, group
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.secrets.sources import variable_of
from browser_use_async.server.setting_kinds import PATH, Kind, Setting, own_settings, settings_of


def _reader(kind: Kind) -> Callable[[Any], Any]:
    """A parser of texts; a secret stays unread until `given` reads it."""

    def read(value: Any) -> Any:
        if kind.reveals is not None or not isinstance(value, str):
            return value
        try:
            return kind.parse(value)
        except (ConfigurationError, ValueError) as error:
            raise click.BadParameter(str(error)) from None

    return read


class _Word(Choice):
    """One of some words, after its kind has read it."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind.choices)
        self._read = _reader(kind)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a value that is one of the words."""
        return super().convert(self._read(value), param, ctx)


def option_of(name: str, each: Setting) -> Option:
    """The option of a setting."""
    kind = each.kind
    shape: dict[str, Any] = {"is_flag": True}
    if not kind.is_flag:
        shape = {
            "type": _Word(kind) if kind.choices else _reader(kind),
            "metavar": kind.metavar,
            "multiple": kind.gather is not None,
            "shell_complete": complete_files if kind.metavar == PATH.metavar else None,
        }
    if kind.implied is not None:
        shape |= {"is_flag": False, "flag_value": kind.implied}
    default = each.default_text()
    text = f"{each.help} (default: {default})" if default else each.help
    made = Option([name], help=text, **shape)
    made.brief = not (each.leads or each.explained)
    return made


def options_of(title: str, owner: type) -> list[Option]:
    """The options of a group of settings, below its heading."""
    found: list[Option] = []
    for _, each in own_settings(owner):
        if each.option is not None:
            made = option_of(each.option, each)
            found += [made] if each.leads else group(title, made)
    return found


def given(owner: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that options give, by the names of their fields."""
    found: dict[str, Any] = {}
    for field, each, raw in _written(owner, values):
        if raw is not None:
            found[field.name] = _value(field, each, raw)
        elif each.served is not None:
            found[field.name] = each.served
    return found


def visible_secrets(owners: Iterable[type], values: Mapping[str, Any]) -> list[str]:
    """The options with a secret that other users see in the process list."""
    return [
        str(each.option)
        for owner in owners
        for _, each, raw in _written(owner, values)
        if each.kind.reveals is not None and any(map(each.kind.reveals, _texts(raw)))
    ]


def named_variables(owners: Iterable[type], values: Mapping[str, Any]) -> Iterator[str]:
    """The environment variables with secrets: those of settings, and those that options name."""
    for owner in owners:
        for _, each, raw in _written(owner, values):
            if each.kind.reveals is not None:
                yield from filter(None, (each.variable, *map(variable_of, _texts(raw))))


def _written(
    owner: type, values: Mapping[str, Any]
) -> Iterator[tuple["attrs.Attribute[Any]", Setting, Any]]:
    """The settings that have options, with the given values; None if not given."""
    for field, each in settings_of(owner):
        if each.option is not None:
            raw = values[each.option.removeprefix("--").replace("-", "_")]
            yield field, each, None if raw is False or raw == () else raw


def _texts(raw: Any) -> tuple[str, ...]:
    return raw if isinstance(raw, tuple) else () if raw is None else (raw,)


def _value(field: "attrs.Attribute[Any]", each: Setting, raw: Any) -> Any:
    kind = each.kind
    if kind.is_flag:
        return not each.default
    if kind.reveals is not None:
        try:
            raw = [kind.parse(text) for text in _texts(raw)]
        except ConfigurationError as error:
            raise ConfigurationError(f"{each.option}: {error}") from None
        raw = raw if kind.gather is not None else raw[0]
    return raw if kind.gather is None else kind.gather(list(raw))
