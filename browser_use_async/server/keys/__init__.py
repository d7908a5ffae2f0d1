"""API keys of a server: identity and permissions of clients."""

from browser_use_async.server.keys.api_key import DEFAULT_NAME, ApiKey, Scope

__all__ = ["DEFAULT_NAME", "ApiKey", "Scope"]
