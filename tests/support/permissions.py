"""What systems refuse: ordinary users, also where root runs the tests, and full disks."""

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["as_ordinary_user", "files_no_larger_than"]

_VERSION_3 = 0x20080522
_OVERRIDES = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Drop the privilege to ignore permissions in this thread and those it starts.

    A process without it stays unchanged. The superuser remains the owner of the files.
    """
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(
        None, use_errno=True
    )  # of Linux, like the containers in which tests are root
    header, held = _Header(_VERSION_3, 0), (_Capabilities * 2)()
    _checked(libc.capget(ctypes.byref(header), held))
    before = held[0].effective
    held[0].effective = before & ~_OVERRIDES
    _checked(libc.capset(ctypes.byref(header), held))
    try:
        yield
    finally:
        held[0].effective = before
        _checked(libc.capset(ctypes.byref(header), held))


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse bytes beyond this size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "the privileges of this thread cannot be changed")
