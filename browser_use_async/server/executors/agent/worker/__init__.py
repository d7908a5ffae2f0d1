"""Code of the agent's own process, beside browser-use and without the rest of this package."""
