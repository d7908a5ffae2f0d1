"""The parts of one server that its operations work with, and the registry of operations."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.server.errors import TooManyError
from browser_use_async.server.file_answer import Downloads
from browser_use_async.server.held_calls import HeldCalls
from browser_use_async.server.jobs import TaskRunner
from browser_use_async.server.keys.administration import KeyAdministration
from browser_use_async.server.loops import Loops
from browser_use_async.server.places import Places
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import Database, Tasks
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.files import Uploads
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.worker import waiting_refusal

if TYPE_CHECKING:
    from browser_use_async.server.live_view.handoff import Handoff

# Takes the `Backend`, then the path, query and body objects that the endpoint has.
Operation = Callable[..., Any]
OperationT = TypeVar("OperationT", bound=Operation)
# Operations by the name of their endpoint.
OPERATIONS: dict[str, Operation] = {}

_MOST_ARRIVING = 50  # uploads at once, each of which is in memory
_MOST_OF_OWNER = 10


def _upload_places() -> Places:
    return Places(
        _MOST_OF_OWNER,
        "uploads of this owner are under way",
        _MOST_ARRIVING,
        "uploads are under way",
        favoured=DEFAULT_OWNER,
    )


@attrs.frozen
class Backend:
    """The parts of one running server."""

    settings: ServerSettings  # what the operator decides
    database: Database  # all of what is stored
    tasks: Tasks  # the tasks
    runner: TaskRunner  # the running tasks
    links: Links  # addresses on this server
    executor_name: str  # the name of the executor
    account: Account  # balance and plan
    profiles: Profiles  # the browser profiles
    schedules: Schedules  # scheduled tasks
    uploads: Uploads  # uploaded files
    sealed: Secrets  # secrets of all kinds
    search: SearchEngine  # the search operations
    keys: KeyAdministration  # the API keys but the one that the server is started with
    held_calls: HeldCalls = attrs.field(kw_only=True)  # calls that wait for a change
    arriving: Places = attrs.field(factory=_upload_places, kw_only=True)  # of uploads
    downloads: Downloads = attrs.field(factory=Downloads, kw_only=True)  # that are under way
    loops: Loops = attrs.field(kw_only=True)  # what is done beside answering calls
    # Sends people to the server that carries a task out
    handoff: "Handoff" = attrs.field(kw_only=True)
    # What was made by `of`, which each request asks for
    views: "dict[tuple[str, bool], Backend]" = attrs.field(factory=dict, kw_only=True, repr=False)

    def of(self, owner: str, *, may_steer: bool = True) -> "Backend":
        """The same server with what belongs to one owner, and for who may steer or not."""
        view = self.views.get((owner, may_steer))
        if view is None:
            view = attrs.evolve(
                self,
                tasks=self.tasks.of(owner),
                links=self.links.of(owner, may_steer=may_steer),
                account=self.account.of(owner),
                profiles=self.profiles.of(owner),
                schedules=self.schedules.of(owner),
                uploads=self.uploads.of(owner),
            )
            self.views[owner, may_steer] = view
        return view

    def require_turn(self) -> None:
        """Refuse new work of an owner that has too much waiting.

        Raises:
            TooManyError: With the bound.
        """
        refusal = waiting_refusal(self.account.owner)
        if refusal is not None:
            raise TooManyError(f"{refusal}; try again when they are read")


def operation(endpoint: Endpoint) -> Callable[[OperationT], OperationT]:
    """Register a function as the operation of an endpoint.

    Raises:
        ValueError: The endpoint has an operation already.
    """

    def register(function: OperationT) -> OperationT:
        # Registered at import, so a second function is a programming error.
        if endpoint.name in OPERATIONS:
            raise ValueError(f"two operations answer {endpoint}")
        OPERATIONS[endpoint.name] = function
        return function

    return register
