"""All stores of one server, made together on its database."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Self

import attrs

from browser_use_async.server.storage.account import Account, Plan
from browser_use_async.server.storage.api_keys import ApiKeys
from browser_use_async.server.storage.audit_trail import AuditTrail
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.storage.schedules import Schedules
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.tasks import Tasks
from browser_use_async.server.storage.uploads import Uploads


@attrs.frozen
class Stores:
    """What a server reads and writes."""

    database: Database
    sealed: Secrets
    account: Account
    schedules: Schedules
    api_keys: ApiKeys
    audit_trail: AuditTrail
    tasks: Tasks
    profiles: Profiles
    uploads: Uploads

    @classmethod
    def of(
        cls,
        database: Database,
        now: Callable[[], datetime],
        plan: Plan,
        audit_entries: int,
        audit_days: int,
    ) -> Self:
        """Make them.

        Raises:
            ConfigurationError: There is no such plan, or a file holds secrets under another key.
        """
        sealed = Secrets(database)
        return cls(
            database,
            sealed,
            Account(database, plan),
            Schedules(database, sealed, now),
            ApiKeys(database, now),
            AuditTrail(database, now, audit_entries, audit_days),
            Tasks(database, sealed, now),
            Profiles(database, sealed),
            Uploads(database, now),
        )

    async def open(self, balance_cents: Decimal) -> None:
        """Begin, with some credit if the account is new.

        Raises:
            ConfigurationError: What is stored cannot be used here.
        """
        if self.database.is_shared:
            await self.sealed.open()
        await self.account.open(balance_cents)
        await self.schedules.check_packages()
