"""API keys of a server: who a client is, and what it may do."""

from browser_use_async.server.keys.api_key import DEFAULT_NAME, ApiKey, Scope

__all__ = ["DEFAULT_NAME", "ApiKey", "Scope"]
