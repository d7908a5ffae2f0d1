"""Responses of the API sections User and Health Check."""

from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.types.response import Response


@attrs.define(eq=False, repr=False)
class Balance(Response):
    """What is left on the account. API page: Check Balance.

    Attributes:
        cents: The credit in US cents; exact, because the API sends a string.
    """

    cents: Decimal

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """The JSON schema: the API names the amount, and the attribute its unit."""
        written = super().__get_pydantic_json_schema__(schema, handler)
        balance = {"balance": written["properties"]["cents"]}
        return {**written, "properties": balance, "required": ["balance"]}
