"""The API sections User and Health Check, call by call."""

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.section import Section
from browser_use_async.errors import AuthenticationError, PermissionDeniedError
from browser_use_async.types import Balance


class AccountEndpoints(Section):
    """`session.account`: one method is one HTTP call."""

    async def get_balance(self) -> Balance:
        """What is left on the account, in US cents. Free. API page: Check Balance.

        Raises:
            BrowserUseError: The call did not succeed.
        """
        balance: Balance = await self._call(table.CHECK_BALANCE)
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
