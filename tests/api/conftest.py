from tests.support.shim import mocked_api

__all__ = ["mocked_api"]
