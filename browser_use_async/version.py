"""The version. Written here, because looking it up in what is installed takes milliseconds."""

__version__ = "1.0.0rc1"
