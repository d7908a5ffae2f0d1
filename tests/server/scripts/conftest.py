"""A real browser for scripts; tests are skipped where there is none."""

from tests.server.browser.conftest import browser_path, chromium

__all__ = ["browser_path", "chromium"]
