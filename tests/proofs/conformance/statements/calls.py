"""Checks of the calls one by one: keys, errors, tasks, schedules, profiles, files, searches."""

from typing import Any
from urllib.parse import quote

from tests.proofs.conformance.statements.probe import (
    DeviationError,
    NotApplicableError,
    Probe,
    Reply,
    check,
    require,
)
from tests.proofs.conformance.statements.shapes import (
    BALANCE,
    CREATED,
    DOWNLOAD,
    ERROR,
    PROFILE,
    PROFILE_PAGE,
    RECORDINGS,
    SCHEDULE,
    SCHEDULE_PAGE,
    SCREENSHOTS,
    SEARCH_RESULT,
    SEARCH_RESULTS,
    TASK_STATUSES,
    UPLOAD,
    VALIDATION_ERROR,
)

_NO_ID = "00000000-0000-4000-8000-000000000000"
_YEARLY = {"task": "Look", "schedule_type": "interval", "interval_minutes": 525_600}


def _is_empty(reply: Reply) -> None:
    """Check an answer without content, which servers write in three ways."""
    reply.has_status(200)
    require(reply.body.strip() in {b"", b"null", b"{}"}, "the answer is not empty, null or {}")


# --- keys and errors ----------------------------------------------------------------------


@check("Keys and errors", "ping needs no key")
async def _ping(probe: Probe) -> None:
    _is_empty(await probe.call("GET", "/ping", key=None))


@check("Keys and errors", "me answers true to the key")
async def _me(probe: Probe) -> None:
    reply = await probe.call("GET", "/me")
    reply.has_status(200)
    require(reply.json is True, "the answer is not true")


@check("Keys and errors", "me answers false without a key and to a wrong one")
async def _me_refused(probe: Probe) -> None:
    for key in (None, "bu_wrong"):
        reply = await probe.call("GET", "/me", key=key)
        reply.has_status(200, 401, 403)
        require(reply.json is False, "the answer is not false")


@check("Keys and errors", "calls without a key or with a wrong one are refused")
async def _keys(probe: Probe) -> None:
    for key in (None, "bu_wrong"):
        reply = await probe.call("GET", "/balance", key=key)
        reply.has_status(401, 403)
        reply.has(ERROR, reply.status)


@check("Keys and errors", "unknown ids are answered with 404 and a detail")
async def _unknown_ids(probe: Probe) -> None:
    for method, path in (
        ("GET", f"/task/{_NO_ID}"),
        ("GET", f"/task/{_NO_ID}/status"),
        ("PUT", f"/stop-task?task_id={_NO_ID}"),
        ("GET", f"/scheduled-task/{_NO_ID}"),
        ("DELETE", f"/browser-profiles/{_NO_ID}"),
    ):
        (await probe.call(method, path)).has(ERROR, 404)


@check("Keys and errors", "a refused field is named: 422 with loc, msg and type")
async def _refused_fields(probe: Probe) -> None:
    for path, body, field in (
        ("/run-task", {}, "task"),
        ("/run-task", {"task": 7}, "task"),
        ("/simple-search", {"query": "x", "max_websites": 11}, "max_websites"),
        ("/search-url", {"url": probe.settings.website, "query": "x", "depth": 6}, "depth"),
        ("/scheduled-task", {"task": "x"}, "schedule_type"),
        ("/browser-profiles", {}, "profile_name"),
    ):
        problems = (await probe.call("POST", path, body)).has(VALIDATION_ERROR, 422)["detail"]
        named = [problem["loc"] for problem in problems]
        require(["body", field] in named, f"no loc is ['body', '{field}']")


@check("Keys and errors", "a body that is not JSON is answered with 422")
async def _broken_body(probe: Probe) -> None:
    reply = await probe.call(
        "POST", "/run-task", body=b"{", headers={"Content-Type": "application/json"}
    )
    reply.has(VALIDATION_ERROR, 422)


@check("Keys and errors", "unknown fields and nulls of a request are tolerated")
async def _lenient_requests(probe: Probe) -> None:
    fields: dict[str, Any] = {
        "enable_recordings": True,
        "secrets": None,
        "metadata": None,
        "llm_model": None,
    }
    task_id = await probe.create_task(**fields)
    await probe.call("PUT", f"/stop-task?task_id={task_id}")


# --- results of tasks ---------------------------------------------------------------------


@check("Tasks", "a finished task has its instructions, an end and steps in order")
async def _finished_task(probe: Probe) -> None:
    task = await probe.finished_task()
    require(task["task"] == probe.settings.task, "task is not the text that was sent")
    require(task["finished_at"], "finished_at is missing")
    require(task["output"] is not None, "output is null")
    numbers = [step["step"] for step in task["steps"]]
    require(numbers == list(range(1, len(numbers) + 1)), f"the steps are numbered {numbers}")


@check("Tasks", "metadata comes back as it was sent")
async def _metadata(probe: Probe) -> None:
    task = await probe.finished_task()
    due = {"team": "Zürich", "run": "conform"}
    require((task["metadata"] or {}).items() >= due.items(), "the pairs are not those sent")


@check("Tasks", "the status call answers a bare text")
async def _status(probe: Probe) -> None:
    task = await probe.finished_task()
    reply = await probe.call("GET", f"/task/{task['id']}/status")
    reply.has_status(200)
    require(reply.json in TASK_STATUSES, "the answer is none of the six statuses")
    require(reply.json == task["status"], f"get-task says {task['status']}")


@check("Tasks", "media and screenshots are lists of links, or null")
async def _media(probe: Probe) -> None:
    task = await probe.finished_task()
    (await probe.call("GET", f"/task/{task['id']}/media")).has(RECORDINGS)
    (await probe.call("GET", f"/task/{task['id']}/screenshots")).has(SCREENSHOTS)


@check("Tasks", "a shared task has a public link that needs no key")
async def _share(probe: Probe) -> None:
    task_id = await probe.create_task(enable_public_share=True)
    task = await probe.ended(task_id)
    url = task.get("public_share_url")
    require(isinstance(url, str), "public_share_url is missing")
    (await probe.call("GET", str(url))).has_status(200)


@check("Tasks", "an output file has a link, and an unknown one is 404")
async def _output_files(probe: Probe) -> None:
    task = await probe.finished_task()
    path = f"/task/{task['id']}/output-file/"
    (await probe.call("GET", path + "no-such-file.bin")).has(ERROR, 404)
    names = task.get("output_files") or []
    if not names:
        return
    url = (await probe.call("GET", path + quote(names[0], safe=""))).has(DOWNLOAD)["download_url"]
    (await probe.call("GET", url)).has_status(200)


# --- schedules ----------------------------------------------------------------------------


@check("Schedules", "a schedule is created, read, changed in part and deleted")
async def _schedule(probe: Probe) -> None:
    start = "2099-01-01T00:00:00Z"
    reply = await probe.call("POST", "/scheduled-task", {**_YEARLY, "start_at": start})
    path = f"/scheduled-task/{reply.has(CREATED)['id']}"
    try:
        before = (await probe.call("GET", path)).has(SCHEDULE)
        require(before["is_active"] is True, "it is not active")
        require(before["next_run_at"][:10] == start[:10], "next_run_at is not start_at")
        change = await probe.call("PUT", path, {"is_active": False, "task": "Look again"})
        after = change.has(SCHEDULE)
        changed = {name for name in before if before[name] != after.get(name)}
        require(
            changed - {"next_run_at"} == {"is_active", "task", "updated_at"},
            f"the update changed {', '.join(sorted(changed))}",
        )
        rows = (await probe.call("GET", "/scheduled-tasks?limit=100")).has(SCHEDULE_PAGE)["tasks"]
        require(before["id"] in [row["id"] for row in rows], "the list does not show it")
    except DeviationError:
        shown = probe.last  # what shows the deviation, and not the deletion
        await probe.call("DELETE", path)
        probe.last = shown
        raise
    _is_empty(await probe.call("DELETE", path))
    (await probe.call("GET", path)).has(ERROR, 404)


@check("Schedules", "a schedule needs the figure of its type")
async def _schedule_figures(probe: Probe) -> None:
    for body in (
        {"task": "Look", "schedule_type": "interval"},
        {"task": "Look", "schedule_type": "cron"},
        {"task": "Look", "schedule_type": "yearly"},
    ):
        (await probe.call("POST", "/scheduled-task", body)).has_status(400, 422)


# --- profiles -----------------------------------------------------------------------------


@check("Browser profiles", "a profile is created with defaults, changed in part and deleted")
async def _profile(probe: Probe) -> None:
    reply = await probe.call("POST", "/browser-profiles", {"profile_name": "conform"})
    if reply.status == 403:
        raise NotApplicableError("the plan of this key has no further profile")
    profile = reply.has(PROFILE)
    path = f"/browser-profiles/{profile['profile_id']}"
    try:
        for name, due in (("description", ""), ("persist", True), ("browser_viewport_width", 1280)):
            require(profile[name] == due, f"{name} is {profile[name]!r}, and {due!r} is due")
        change = await probe.call("PUT", path, {"ad_blocker": False})
        require(change.has(PROFILE) == {**profile, "ad_blocker": False}, "more was changed")
        require((await probe.call("GET", path)).has(PROFILE) == change.json, "it reads otherwise")
        listed = (await probe.call("GET", "/browser-profiles?limit=100")).has(PROFILE_PAGE)
        ids = [row["profile_id"] for row in listed["profiles"]]
        require(profile["profile_id"] in ids, "the list does not show it")
    finally:
        deleted = await probe.call("DELETE", path)
    _is_empty(deleted)
    (await probe.call("GET", path)).has(ERROR, 404)


# --- files, searches, the account ---------------------------------------------------------


@check("Files", "a file is uploaded by a link, and a task can include it")
async def _upload(probe: Probe) -> None:
    name, kind = "conform.csv", "text/csv"
    wanted = {"file_name": name, "content_type": kind}
    url = (await probe.call("POST", "/uploads/presigned-url", wanted)).has(UPLOAD)["upload_url"]
    stored = await probe.call("PUT", url, body=b"a,b\n1,2\n", headers={"Content-Type": kind})
    stored.has_status(200, 201, 204)
    task_id = await probe.create_task(included_file_names=[name])
    task = (await probe.call("GET", f"/task/{task_id}")).json
    await probe.call("PUT", f"/stop-task?task_id={task_id}")
    require(task.get("user_uploaded_files") == [name], "user_uploaded_files does not name it")


@check("Files", "other types than images and documents are refused")
async def _file_types(probe: Probe) -> None:
    wanted = {"file_name": "film.mp4", "content_type": "video/mp4"}
    (await probe.call("POST", "/uploads/presigned-url", wanted)).has_status(400, 422)


@check("Searches", "simple-search answers with addresses and passages")
async def _simple_search(probe: Probe) -> None:
    reply = await probe.call(
        "POST", "/simple-search", {"query": "opening hours", "max_websites": 1}
    )
    if reply.status == 503:
        raise NotApplicableError("this server has nothing to search with")
    results = reply.has(SEARCH_RESULTS)["results"]
    require(len(results) <= 1, f"{len(results)} websites, and max_websites is 1")


@check("Searches", "search-url answers with the passages of one website")
async def _search_url(probe: Probe) -> None:
    body = {"url": probe.settings.website, "query": "title"}
    found: Any = (await probe.call("POST", "/search-url", body)).has(SEARCH_RESULT)
    require(found["url"] == probe.settings.website, "url is not the one that was asked for")


@check("Account", "the balance is a number of cents, as text")
async def _balance(probe: Probe) -> None:
    text = (await probe.call("GET", "/balance")).has(BALANCE)["balance"]
    try:
        float(text)
    except ValueError:
        raise DeviationError(f"balance is {text!r:.40}") from None
