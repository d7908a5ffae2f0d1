"""Mutants of secrets and hygiene."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "what a server echoes is not masked",
        "transport/error_factory.py",
        '            text = text.replace(each, "***")\n',
        "            text = str(text)\n",
        ("H1",),
    ),
    Mutant(
        "the key shows in its repr",
        "transport/config.py",
        "        return \"Secret('***')\"\n",
        '        return f"Secret({self._text!r})"\n',
        ("H2", "H6"),
    ),
    Mutant(
        "errors pickle by their arguments alone",
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
        "everybody can read the database",
        "server/storage/database.py",
        "        self._path.chmod(0o600)\n",
        "        self._path.chmod(0o644)\n",
        ("H4",),
    ),
    Mutant(
        "a host that begins like this machine passes for it",
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
        "default headers of the user's session are not looked at",
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
        "an empty list of domains passes for a choice",
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
