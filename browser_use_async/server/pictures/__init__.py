"""Screenshots for executors that have no browser: a small font, a canvas and a PNG writer."""

from browser_use_async.server.pictures.screenshot import Drawing

__all__ = ["Drawing"]
