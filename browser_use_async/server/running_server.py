"""The context of the operations of a server."""

import asyncio
from typing import TYPE_CHECKING

import attrs

from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.http.held_calls import HeldCalls
from browser_use_async.server.http.large_answers import LargeAnswers
from browser_use_async.server.keys.api_key import EVERY_SCOPE, Scope
from browser_use_async.server.loops import Loops
from browser_use_async.server.pages.links import Links
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.stores import Stores
from browser_use_async.server.tasks import TaskRunner
from browser_use_async.server.tasks.deployment import Deployment
from browser_use_async.server.webhooks import WebhookSender

if TYPE_CHECKING:
    from browser_use_async.server.fleet.handoff import Handoff


@attrs.frozen(kw_only=True)
class RunningServer:
    """One running server for the owner of a key, with the owner's stores and links."""

    settings: ServerSettings  # of the operator
    stores: Stores  # the repositories
    links: Links  # addresses on this server
    runner: TaskRunner  # the running tasks
    deployment: Deployment  # whether other servers have the tasks too
    search: SearchEngine  # the search operations
    webhooks: WebhookSender  # the webhooks and their deliveries
    faults: FaultInjector  # faults on purpose
    held_calls: HeldCalls  # calls that wait for a change
    loops: Loops  # the background work
    handoff: "Handoff"  # sends people to the server that carries a task out
    answers: LargeAnswers = attrs.field(factory=LargeAnswers)  # large ones under way
    # Lets one page of tasks be made in a turn of the loop, so that other calls come between two
    next_list: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    scopes: frozenset[Scope] = EVERY_SCOPE  # what the key may do
    # Whether the operator reads with the parameter `owner`: answers name owners, and no cookies
    is_operators: bool = False
    # What was made by `of`, which each request asks for
    _views: "dict[tuple[str, frozenset[Scope], bool], RunningServer]" = attrs.field(
        factory=dict, alias="_views", repr=False
    )

    @property
    def owner(self) -> str:
        """The owner."""
        return self.stores.account.owner

    def of(
        self,
        owner: str,
        scopes: frozenset[Scope] = EVERY_SCOPE,
        *,
        is_operators: bool = False,
    ) -> "RunningServer":
        """The same server for another owner, whose key has some scopes."""
        view = self._views.get((owner, scopes, is_operators))
        if view is None:
            view = attrs.evolve(
                self,
                stores=self.stores.of(owner),
                links=self.links.of(owner, may_steer=Scope.RUN in scopes),
                scopes=scopes,
                is_operators=is_operators,
            )
            self._views[owner, scopes, is_operators] = view
        return view
