"""What a task costs while it runs, and what its browser leaves behind."""

import attrs

from browser_use_async.prices import step_cents
from browser_use_async.server.executors.protocol import Assignment, Finished
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.profiles import Profiles

__all__ = ["Accounting"]


@attrs.frozen
class Accounting:
    """Charges steps, and keeps cookies."""

    account: Account  # who pays
    profiles: Profiles  # where cookies are kept

    def stepped(self, assignment: Assignment) -> None:
        """Charge a step."""
        self.account.charge(step_cents(assignment.llm_model))

    def finished(self, assignment: Assignment, result: Finished, *, save: bool) -> None:
        """Keep the cookies, if the caller asked for it and the profile keeps any."""
        if save:
            self.profiles.keep_cookies(assignment.profile_id, result.cookies)
