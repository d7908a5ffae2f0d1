"""Public names and options that 1.0.0 no longer has, and what replaces each."""

from collections.abc import Iterable
from functools import wraps
from typing import Any, NoReturn, TypeVar

# The keys: names with their packages, options with their classes or functions, and words of the
# command line.
REMOVED = {
    "--admin-port": "take --admin-socket FILE",
    "--api-key-file": "take --api-key file:PATH",
    "--audit-days": "the trail keeps 90 days",
    "--audit-entries": "the trail keeps 100,000 entries of each name",
    "--budget-strict": "--budget-cents alone is never exceeded",
    "--cloud-webhook-secret-file": "version 4 of the hosted API sends no webhooks",
    "--outage-tolerance": "it is called --outage-timeout",
    "--signed-file-links": "links lead to the server, which reads the object storage",
    **{
        f"{owner}.{name}": f"it is called {name}_cents"
        for owner, names in {
            "Budget": ("limit", "spent", "reserved", "remaining"),
            "BudgetExceededError": ("needed", "limit", "spent", "reserved"),
        }.items()
        for name in names
    },
    "BrowserUseSession(surroundings)": "it is called runtime",
    "CallLimits(slot_wait)": "it is called slot_timeout",
    "LocalServer(admin_port)": "take admin_socket",
    "LocalServer(audit_days)": "the trail keeps 90 days",
    "LocalServer(audit_entries)": "the trail keeps 100,000 entries of each name",
    "LocalServer(signed_file_links)": "links lead to the server, which reads the object storage",
    "ListIterator.resume_token": "only lists of tasks can be resumed; read this one from its start",
    "PollPolicy(cap)": "latency_target bounds the pause between two polls",
    "PollPolicy(growth)": "the pause grows by a tenth from poll to poll up to latency_target; "
    "give interval and latency_target the same value for equal pauses",
    "PollPolicy(jitter)": "up to a tenth of each pause is random",
    "PollPolicy(list_threshold)": "shared=False polls each task by itself",
    "PollPolicy(max_wait)": "it is called timeout",
    "PollPolicy(outage_tolerance)": "it is called outage_timeout",
    "PollPolicy(safety_interval)": "a task that webhooks or a long poll report on is polled every "
    "60 s, or every latency_target where that is longer",
    "browser_use_async.InterventionKind": "read an Intervention's text, the task's last step",
    "browser_use_async.models": "import from browser_use_async.types and browser_use_async.events",
    "TaskHandle.status": "`await handle.get_status()` asks for it; a Task has its `status`",
    "conform": "`make conformance URL=http://…` of a checkout of the project does the same",
    "doctor --database-env": "take --database env:NAME",
    "executor cloud-v2": "version 4 is the way to the hosted service; take cloud-v4",
    "iterate_all_browser_profiles(resume)": "only lists of tasks can be resumed; leave it out",
    "iterate_all_scheduled_tasks(resume)": "only lists of tasks can be resumed; leave it out",
    "keys --database": "ask the running server with --base-url or --admin-socket",
    "keys change": "add a key, and revoke the one before",
    "serve --ad-hosts": "pass ChromiumSettings(ad_hosts=…) in a program",
    "serve --api-key-env": "take --api-key env:NAME",
    "serve --browser": "name it in the environment variable BROWSER_USE_SERVER_CHROMIUM",
    "serve --browser-endpoint-env": "take --browser-endpoint env:NAME",
    "serve --browser-endpoint-file": "take --browser-endpoint file:PATH",
    "serve --browser-protocol": "pass ChromiumSettings(endpoint_protocol=…) in a program",
    "serve --cloud-base-url": "pass CloudSettings(base_url=…) in a program",
    "serve --cloud-concurrency": "pass CloudSettings(concurrency=…) in a program",
    "serve --cloud-key-file": "take --cloud-key file:PATH",
    "serve --database-env": "take --database env:NAME",
    "serve --drain": "tasks at work have 600 s; pass LocalServer(drain=…) in a program",
    "serve --faults": "take --fault file:PATH",
    "serve --lease": "it is 30 s; pass LocalServer(lease=…) in a program",
    "serve --llm-key-env": "take --llm-key env:NAME",
    "serve --llm-timeout": "pass AgentSettings(llm_timeout=…) in a program",
    "serve --max-connections-per-address": "it is 64 for other machines; pass "
    "LocalServer(max_connections_per_address=…) in a program",
    "serve --page-days": "it is 30 days; pass LocalServer(page_lifetime=…) in a program",
    "serve --proxy-env": "take --proxy env:NAME",
    "serve --proxy-file": "take --proxy file:PATH",
    "serve --searxng": "take --search searxng:URL",
    "serve --trace": "pass ChromiumSettings(trace=…) in a program",
    "serve --webhook-secret-env": "take --webhook-secret env:NAME",
    "serve --webhook-secret-file": "take --webhook-secret file:PATH",
    "mcp --max-wait": "it is called --timeout",
    "run_many(budget_strict)": "budget_cents alone is never exceeded",
    "run_many(outage_tolerance)": "it is called outage_timeout",
    "work(outage_tolerance)": "it is called outage_timeout",
    "webhooks --secret-env": "take --secret env:NAME",
    "webhooks --secret-file": "take --secret file:PATH",
}

MadeT = TypeVar("MadeT")


def missing_name(owner: object, name: str) -> NoReturn:
    """For the `__getattr__` of a class: raise an error that names the replacement of a name."""
    for kind in type(owner).__mro__:
        if (advice := REMOVED.get(f"{kind.__name__}.{name}")) is not None:
            raise AttributeError(f"{kind.__name__} has no {name} any more: {advice}")
    missing = f"{type(owner).__name__!r} object has no attribute {name!r}"
    raise AttributeError(missing, name=name, obj=owner)


def refuse_removed(owner: str, options: Iterable[str]) -> None:
    """Raise `TypeError` if one of the options for `owner` was removed."""
    for option in options:
        if (advice := REMOVED.get(f"{owner}({option})")) is not None:
            raise TypeError(f"{owner} has no option {option} any more: {advice}")


def without_removed(made: MadeT) -> MadeT:
    """A decorator: refuses removed options with a sentence about their replacement."""
    owner: Any = made
    function = owner.__init__ if isinstance(made, type) else owner

    @wraps(function)
    def refusing(*args: Any, **options: Any) -> Any:
        refuse_removed(owner.__name__, options)
        return function(*args, **options)

    if not isinstance(made, type):
        return refusing  # type: ignore[return-value]
    owner.__init__ = refusing
    return made
