"""The parts of one server that its operations work with."""

from typing import TYPE_CHECKING

import attrs

from browser_use_async.server.errors import TooManyError
from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.http.file_answer import Downloads
from browser_use_async.server.http.held_calls import HeldCalls
from browser_use_async.server.keys.api_key import EVERY_SCOPE, Scope
from browser_use_async.server.keys.api_keys import ApiKeys
from browser_use_async.server.keys.audit_trail import AuditTrail
from browser_use_async.server.loops import Loops
from browser_use_async.server.places import Places
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.signed_links import Links
from browser_use_async.server.storage import Database, TaskStore
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.files import Uploads
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.tasks import TaskRunner
from browser_use_async.server.tasks.changes import Changes
from browser_use_async.server.tasks.deployment import Deployment
from browser_use_async.server.webhooks import WebhookSender
from browser_use_async.server.worker import waiting_refusal

if TYPE_CHECKING:
    from browser_use_async.server.handoff import Handoff


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
    tasks: TaskStore  # the tasks
    changes: Changes  # what has happened to tasks
    deployment: Deployment  # whether other servers have the tasks too
    runner: TaskRunner  # the running tasks
    links: Links  # addresses on this server
    executor_name: str  # the name of the executor
    account: Account  # balance and plan
    profiles: Profiles  # the browser profiles
    schedules: Schedules  # scheduled tasks
    uploads: Uploads  # uploaded files
    sealed: Secrets  # secrets of all kinds
    search: SearchEngine  # the search operations
    keys: ApiKeys  # the API keys but the one that the server is started with
    audit_trail: AuditTrail  # who did what
    webhooks: WebhookSender = attrs.field(kw_only=True)  # the webhooks, and what they receive
    faults: FaultInjector = attrs.field(kw_only=True)  # what goes wrong on purpose
    held_calls: HeldCalls = attrs.field(kw_only=True)  # calls that wait for a change
    arriving: Places = attrs.field(factory=_upload_places, kw_only=True)  # of uploads
    downloads: Downloads = attrs.field(factory=Downloads, kw_only=True)  # that are under way
    loops: Loops = attrs.field(kw_only=True)  # what is done beside answering calls
    # Sends people to the server that carries a task out
    handoff: "Handoff" = attrs.field(kw_only=True)
    scopes: frozenset[Scope] = EVERY_SCOPE  # what the key may do for which this is
    # What was made by `of`, which each request asks for
    views: "dict[tuple[str, frozenset[Scope]], Backend]" = attrs.field(
        factory=dict, kw_only=True, repr=False
    )

    @property
    def owner(self) -> str:
        """Whose things these are."""
        return self.account.owner

    def of(self, owner: str, scopes: frozenset[Scope] = EVERY_SCOPE) -> "Backend":
        """The same server with what belongs to one owner, for a key with some scopes."""
        view = self.views.get((owner, scopes))
        if view is None:
            view = attrs.evolve(
                self,
                tasks=self.tasks.of(owner),
                links=self.links.of(owner, may_steer=Scope.RUN in scopes),
                account=self.account.of(owner),
                profiles=self.profiles.of(owner),
                schedules=self.schedules.of(owner),
                uploads=self.uploads.of(owner),
                scopes=scopes,
            )
            self.views[owner, scopes] = view
        return view

    def require_turn(self) -> None:
        """Refuse new work of an owner that has too much waiting.

        Raises:
            TooManyError: With the bound.
        """
        refusal = waiting_refusal(self.owner)
        if refusal is not None:
            raise TooManyError(f"{refusal}; try again when they are read")
