"""Walls around a worker: what its process may do no more, once it has all that it needs.

A parser of pages is code in C, and a page may be made to take it over. What runs then has no
rights but to work on the memory that it has, and to answer on the pipe that it was given. Several
walls stand behind each other, because no system has all of them: the lower rights of another user,
limits of the process, Landlock, and a filter of system calls (seccomp). The last two are asked for
by number, since the standard library knows neither.
"""

import contextlib
import ctypes
import os
import platform
import struct
import sys
from collections.abc import Sequence
from enum import StrEnum

from browser_use_async import system

USER = "nobody"
"""The user whose rights processes get that a server which runs as root trusts less than itself."""

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# Of Landlock: system calls, which have one number on all machines, and what each version handles.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_RULESET_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # by version: how many, from the lowest bit on
_NET_RIGHTS = 0b11  # to bind and to connect TCP, from version 4 on
_SCOPES = 0b11  # abstract sockets and signals, from version 6 on

# Of a filter: instructions of BPF, what they give, and the machines by the kernel's numbers.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the latter with EPERM
_NUMBER_AT, _MACHINE_AT = 0, 4
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# What Python needs to compute, to read and write open files, and to end. By machine, in this order:
_NEEDED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "readv": (19, 65),
    "writev": (20, 66),
    "select": (23, None),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "time": (201, None),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "getrandom": (318, 278),
}


class Wall(StrEnum):
    """A wall, by the name that `doctor` prints."""

    USER = f"the user {USER}"
    LIMITS = "no further processes and no files written"
    PRIVILEGES = "no new privileges"
    LANDLOCK = "no files and no TCP (Landlock)"
    SYSTEM_CALLS = "system calls for memory and pipes only (seccomp)"


_raised: list[Wall] = []


def walls() -> tuple[Wall, ...]:
    """The walls that stand around this process."""
    return tuple(_raised)


def raise_walls() -> None:
    """Give up all rights that a worker does without, as far as this system lets it."""
    # Each needs what the next one takes away.
    for wall, is_raised in (
        (Wall.LIMITS, _limit),
        (Wall.USER, _change_user),
        (Wall.PRIVILEGES, _give_up_privileges),
        (Wall.LANDLOCK, _close_files),
        (Wall.SYSTEM_CALLS, _filter_system_calls),
    ):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if is_raised():
                _raised.append(wall)


def close_memory() -> bool:
    """Keep this process's memory and environment from other programs of its user.

    They are root's then, and so is a dump of its memory. Programs that it starts are not concerned.
    """
    return sys.platform == "linux" and _prctl(_PR_SET_DUMPABLE, 0)


def _change_user() -> bool:
    ids = system.user_ids(USER)
    if not system.is_root() or ids is None:
        return False
    uid, gid = ids
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    return True


def _limit() -> bool:
    import resource  # noqa: PLC0415 - not on every system

    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(limit, (0, 0))
    return True


def _give_up_privileges() -> bool:
    # The memory as well: the browsers of a server of root run as the same user.
    return close_memory() and _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _close_files() -> bool:
    """Close the whole file system and network, by rules of Landlock that allow nothing."""
    if sys.platform != "linux":
        return False
    version = _system_call(_CREATE_RULESET, None, 0, _RULESET_VERSION)
    if version < 1:
        return False
    files = (1 << _FILE_RIGHTS[min(version, max(_FILE_RIGHTS))]) - 1
    handled = [files]
    if version >= 4:
        handled.append(_NET_RIGHTS)
    if version >= 6:
        handled.append(_SCOPES)
    rules = struct.pack(f"={len(handled)}Q", *handled)
    descriptor = _system_call(_CREATE_RULESET, rules, len(rules), 0)
    if descriptor < 0:
        return False
    try:
        return _system_call(_RESTRICT_SELF, descriptor, 0) == 0
    finally:
        os.close(descriptor)


def _filter_system_calls() -> bool:
    """Refuse all system calls but those that are needed."""
    machine = platform.machine()
    # A program of 32 bits makes calls by other numbers.
    if sys.platform != "linux" or machine not in _MACHINES or sys.maxsize < 2**32:
        return False
    place = list(_MACHINES).index(machine)
    numbers = [each[place] for each in _NEEDED.values()]
    program = _program(_MACHINES[machine], [number for number in numbers if number is not None])
    buffer = ctypes.create_string_buffer(program, len(program))
    # The number of instructions and their place, as the kernel's `sock_fprog` has them.
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described)


def _program(machine: int, numbers: Sequence[int]) -> bytes:
    """A filter that allows system calls by their numbers."""
    count = len(numbers)
    lines = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_JUMP_IF_EQUAL, 0, count + 1, machine),  # else to the refusal
        (_LOAD, 0, 0, _NUMBER_AT),
        # From the one at `place` it is so far over the others and the refusal to the end.
        *((_JUMP_IF_EQUAL, count - place, 0, each) for place, each in enumerate(numbers)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _prctl(option: int, value: int, more: bytes | None = None) -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    return bool(library.prctl(option, ctypes.c_ulong(value), more or zero, zero, zero) == 0)


def _system_call(number: int, *arguments: bytes | int | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    given = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    return int(library.syscall(ctypes.c_long(number), *given))
