"""Mutants of secrets and hygiene."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a cassette holds the key",
        "testing/cassette_recorder.py",
        "CassetteRedactor([*self._api_key, *values, *self._redact])",
        "CassetteRedactor([*values, *self._redact])",
        ("H4",),
    ),
    Mutant(
        "a cassette holds the values of secrets",
        "testing/cassette_recorder.py",
        "        values = secrets.values() if isinstance(secrets, Mapping) else ()\n",
        "        values = ()\n",
        ("H4",),
    ),
    Mutant(
        "a cassette holds signed URLs",
        "testing/cassette_redaction.py",
        "_URL.sub(_without_access, text)",
        "text",
        ("H4",),
    ),
    Mutant(
        "a cassette holds the pages of a task",
        "testing/cassette_redaction.py",
        "CassetteRedactor([*self._secrets, *pages, *map(_token, pages)])",
        "CassetteRedactor(self._secrets)",
        ("H4",),
    ),
    Mutant(
        "secrets that a server echoes are not masked",
        "transport/error_factory.py",
        '            text = text.replace(each, "***")\n',
        "            text = str(text)\n",
        ("H1",),
    ),
    Mutant(
        "the access log shows the tokens of pages",
        "server/access_log.py",
        'shown = _TOKEN.sub(rf"\\1\\2{_MASK}", path)[:_LONGEST]',
        "shown = path[:_LONGEST]",
        ("H12",),
    ),
    Mutant(
        "the access log shows the signatures of links",
        "server/access_log.py",
        "known = _parameters() if path.startswith(API_PREFIX) else frozenset[str]()",
        "known = {name for name, _ in parse_qsl(query)}",
        ("H12",),
    ),
    Mutant(
        "the key shows in its repr",
        "transport/config.py",
        "        return \"Secret('***')\"\n",
        '        return f"Secret({self._text!r})"\n',
        ("H2", "H6"),
    ),
    Mutant(
        "errors are pickled by their arguments alone",
        "errors.py",
        "        return _restore, (type(self), self.args, self._state())\n",
        "        return type(self), self.args\n",
        ("H3",),
    ),
    Mutant(
        "secrets of a schedule stay in its document",
        "server/storage/schedules.py",
        '        secrets = request.pop("secrets", None)\n',
        '        secrets = request.get("secrets", None)\n',
        ("H4",),
    ),
    Mutant(
        "the database is readable by all users",
        "server/storage/database.py",
        "        self._path.chmod(0o600)\n",
        "        self._path.chmod(0o644)\n",
        ("H4",),
    ),
    Mutant(
        "a host name that begins with localhost counts as local",
        "api/limits.py",
        '    if host == "localhost":\n',
        '    if host.startswith("localhost"):\n',
        ("H5",),
    ),
    Mutant(
        "a malformed key is sent",
        "transport/config.py",
        "            key.check_as_key()\n",
        "            key.reveal()\n",
        ("H6",),
    ),
    Mutant(
        "ssl=False turns certificates off",
        "transport/connection_pool.py",
        "    if value is not None and not isinstance(value, SSLContext):\n",
        "    if isinstance(value, str):\n",
        ("H7",),
    ),
    Mutant(
        "proxies and netrc of the environment are used",
        "transport/connection_pool.py",
        "            trust_env=False,\n",
        "            trust_env=True,\n",
        ("H8",),
    ),
    Mutant(
        "identifiers are not quoted",
        "transport/request.py",
        '    return quote(_identifier(name, value), safe="")\n',
        "    return _identifier(name, value)\n",
        ("H9",),
    ),
    Mutant(
        "cookies are kept",
        "transport/connection_pool.py",
        "            cookie_jar=aiohttp.DummyCookieJar(),\n",
        "            cookie_jar=aiohttp.CookieJar(unsafe=True),\n",
        ("H10",),
    ),
    Mutant(
        "default headers of the user's own session are not checked",
        "transport/connection_pool.py",
        '            if name.lower() == "host" or _CONTROL.search(name + value):\n',
        "            if not name and _CONTROL.search(value):\n",
        ("H11",),
    ),
    Mutant(
        "URLs that grant access are shown whole",
        "types/secrets.py",
        "    return f\"'{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***'\"\n",
        "    return repr(value)\n",
        ("H12",),
    ),
    Mutant(
        "an empty list of allowed domains satisfies the check",
        "api/requests.py",
        "    return bool(secrets) and not fields.get(",
        "    return bool(secrets) and [] != fields.get(",
        ("H13",),
    ),
    Mutant(
        "the JSON of a task holds its live link",
        "api/converter.py",
        "        and (field.repr is True or value is None or include_secrets)\n",
        "",
        ("H2",),
    ),
    Mutant(
        "a notebook keeps the live link of a task that has ended",
        "types/tasks.py",
        "from browser_use_async.types.notebook import task_html  # noqa: PLC0415\n\n"
        "        return task_html(self)\n",
        "from browser_use_async.types.notebook import task_html  # noqa: PLC0415\n\n"
        "        return task_html(attrs.evolve(self, status=TaskStatus.RUNNING))\n",
        ("H2",),
    ),
)
