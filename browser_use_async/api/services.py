"""The API sections Search and User, call by call."""

from collections.abc import Mapping

from browser_use_async import types
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request
from browser_use_async.api.section import Section
from browser_use_async.errors import AuthenticationError, PermissionDeniedError


class AccountEndpoints(Section):
    """`session.account`: one method is one HTTP call."""

    async def get_balance(self) -> types.Balance:
        """What is left on the account, in US cents. Free. API page: Check Balance.

        Raises:
            BrowserUseError: The call did not succeed.
        """
        balance: types.Balance = await self._call(table.CHECK_BALANCE)
        return balance

    async def me(self) -> bool:
        """Whether the API key is accepted. Free. API page: Me.

        Returns:
            False for a wrong key, whether the server says `false`, 401 or 403.

        Raises:
            ConfigurationError: There is no key.
            BrowserUseError: The server gave no usable answer.
        """
        try:
            accepted: bool = await self._call(table.ME)
        except (AuthenticationError, PermissionDeniedError):
            return False
        return accepted


class SearchEndpoints(Section):
    """`session.search`: one method is one HTTP call.

    Both cost money, and no other call shows afterwards whether a search ran: a lost answer raises
    `APIConnectionError`, and the search is never sent again on a guess. A server that keeps
    submission keys is asked again with the same key, and charges once.
    """

    async def simple_search(
        self, query: str, *, max_websites: int | None = None, depth: int | None = None
    ) -> list[types.SearchResult]:
        """Search the web and read the best pages. API page: Simple Search.

        Costs `depth * max_websites` US cents; see `browser_use_async.prices`.

        Args:
            query: What to look for.
            max_websites: How many websites at most, 1 to 10; by default 5.
            depth: How deep each is read, 2 to 5; by default 2.

        Raises:
            InvalidRequestError: A bound was missed; nothing was sent.
            APIConnectionError: `.sent` says whether the search may have been paid.
        """
        fields = {"query": query, "max_websites": max_websites, "depth": depth}
        request = build_request(types.SimpleSearchRequest, _given(fields))
        found: types.SearchResults = await self._call(table.SIMPLE_SEARCH, None, request)
        return found.results

    async def search_url(
        self, url: str, query: str, *, depth: int | None = None
    ) -> types.SearchResult:
        """Read one website for what fits a query. API page: Search URL.

        Costs `depth` US cents; see `browser_use_async.prices`.

        Args:
            url: Where to begin.
            query: What to look for.
            depth: How deep it is read, 2 to 5; by default 2.

        Raises:
            InvalidRequestError: A bound was missed; nothing was sent.
            APIConnectionError: `.sent` says whether the search may have been paid.
        """
        request = build_request(
            types.SearchUrlRequest, _given({"url": url, "query": query, "depth": depth})
        )
        found: types.SearchResult = await self._call(table.SEARCH_URL, None, request)
        return found


def _given(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
