"""The thin endpoint layer, as a session has it: one attribute for each API section."""

from functools import cached_property

from browser_use_async import endpoints
from browser_use_async.transport.client import Transport

__all__ = ["Sections"]


class Sections:
    """Part of `BrowserUseSession`.

    Every session has tasks; the other sections are loaded by those who use them.
    """

    tasks: endpoints.TaskEndpoints
    _transport: Transport

    @cached_property
    def scheduled_tasks(self) -> "endpoints.ScheduledTaskEndpoints":
        """The calls of the API section Scheduled Tasks."""
        return endpoints.ScheduledTaskEndpoints(self._transport.call)

    @cached_property
    def browser_profiles(self) -> "endpoints.BrowserProfileEndpoints":
        """The calls of the API section Browser Profiles."""
        return endpoints.BrowserProfileEndpoints(self._transport.call)

    @cached_property
    def files(self) -> "endpoints.FileEndpoints":
        """The calls of the API section Files."""
        return endpoints.FileEndpoints(self._transport.call)

    @cached_property
    def search(self) -> "endpoints.SearchEndpoints":
        """The calls of the API section Search."""
        return endpoints.SearchEndpoints(self._transport.call)

    @cached_property
    def account(self) -> "endpoints.AccountEndpoints":
        """The calls of the API section User."""
        return endpoints.AccountEndpoints(self._transport.call)
