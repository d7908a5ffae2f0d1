"""The pytest plugin of browser-use-async."""
