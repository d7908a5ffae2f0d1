"""Beginning a task, whether a client asked for it or a schedule."""

from collections.abc import Sequence

import attrs

from browser_use_async.api.limits import MAX_TASK_FILE_BYTES
from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.server.answers import RefusalError
from browser_use_async.server.backend import Backend
from browser_use_async.server.running.settings import resolve_settings
from browser_use_async.server.storage import TaskRecord
from browser_use_async.types import UNSET, BrowserProfile, TaskSettings

__all__ = ["check_files", "launch", "profile_of"]


def launch(backend: Backend, settings: TaskSettings, default_model: str) -> TaskRecord:
    """Pay for a task, remember it and hand it to the executor.

    Raises:
        RefusalError: There is no credit, no free place, or no such profile or file.
    """
    backend.account.require_credit()
    limit = backend.max_concurrent_tasks
    if limit is not None and backend.runner.count >= limit:
        raise RefusalError(
            429,
            "Too many concurrent active sessions. Please wait for one to finish, kill one, or "
            "upgrade your plan.",
        )
    profile = profile_of(backend, settings)
    cookies = backend.profiles.cookies(profile.profile_id)
    files = _files(backend, settings)
    assignment = attrs.evolve(
        resolve_settings(settings, profile, default_model, cookies),
        files=files,
        takes_screenshots=backend.screenshots,
        takes_recording=backend.recordings,
    )
    record = backend.store.create_task(settings, assignment)
    backend.account.charge(TASK_START_CENTS)
    backend.runner.start(record, assignment)
    return record


def profile_of(backend: Backend, settings: TaskSettings) -> BrowserProfile:
    """The profile that the settings name, or the default one.

    Raises:
        RefusalError: There is no such profile.
    """
    profile_id = settings.browser_profile_id
    if profile_id is UNSET or profile_id is None:
        return backend.profiles.default()
    profile = backend.profiles.get(profile_id)
    if profile is None:
        raise RefusalError(404, "Browser profile not found")
    return profile


def check_files(backend: Backend, settings: TaskSettings) -> list[str]:
    """The names of the files that the settings include, which all exist and are not too large.

    Raises:
        RefusalError: A file was not uploaded, or all of them together are too large.
    """
    names = settings.included_file_names
    if not isinstance(names, Sequence):
        return []
    missing = backend.uploads.missing(names)
    if missing:
        raise _files_refused(f"no file named {missing[0]!r} was uploaded", list(names))
    uploads = (backend.uploads.get(name) for name in set(names))
    if sum(len(each.content) for each in uploads if each is not None) > MAX_TASK_FILE_BYTES:
        limit = MAX_TASK_FILE_BYTES // 1024**2
        raise _files_refused(f"the files of a task may have {limit} MB together", list(names))
    return list(names)


def _files(backend: Backend, settings: TaskSettings) -> dict[str, bytes]:
    uploads = (backend.uploads.get(name) for name in check_files(backend, settings))
    return {each.name: each.content for each in uploads if each is not None}


def _files_refused(message: str, names: list[str]) -> RefusalError:
    problem = {
        "type": "value_error",
        "loc": ["body", "included_file_names"],
        "msg": f"Value error, {message}",
        "input": names,
        "ctx": {"error": message},
    }
    return RefusalError(422, [problem])
