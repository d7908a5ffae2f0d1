"""Walls around a worker: they remove the rights of its process after it has loaded its code.

Parsers of pages are written in C, and a hostile page may take one over. The attacker's code can
then only use the memory of the process and answer on its pipe. There are several walls, because no
system has all of them: the lower rights of another user, resource limits, Landlock, and a filter of
system calls (seccomp). Landlock and seccomp are called by number, since the standard library has
neither.
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
"""The user of the browsers and workers of a server that runs as root."""

_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

# Landlock: its system calls, with equal numbers on all machines, and the rights of each version.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_RULESET_VERSION = 1
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # by version: the lowest bits that it has
_NET_RIGHTS = 0b11  # to bind and to connect TCP, from version 4 on
_SCOPES = 0b11  # abstract sockets and signals, from version 6 on

# The filter: BPF instructions, their results, and the kernel's numbers of machines.
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the latter with EPERM
_NUMBER_AT, _MACHINE_AT = 0, 4
_MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# The calls that Python needs to compute, to use open files, and to end. By machine, in order:
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
    """Return the walls around this process."""
    return tuple(_raised)


def raise_walls() -> None:
    """Give up all rights that a worker does not need, as far as this system allows."""
    # In this order: each wall needs rights that the next one removes.
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
    """Hide this process's memory and environment from other programs of its user.

    Only root can then read them or a dump of the memory. Child processes are not protected.
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
    # Memory too: the browsers of a server that runs as root have the same user.
    return close_memory() and _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _close_files() -> bool:
    """Block the whole file system and network, with Landlock rules that allow nothing."""
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
    """Refuse all system calls except the needed ones."""
    machine = platform.machine()
    # A 32-bit program has other numbers of calls.
    if sys.platform != "linux" or machine not in _MACHINES or sys.maxsize < 2**32:
        return False
    place = list(_MACHINES).index(machine)
    numbers = [each[place] for each in _NEEDED.values()]
    program = _program(_MACHINES[machine], [number for number in numbers if number is not None])
    buffer = ctypes.create_string_buffer(program, len(program))
    # The number of instructions and their address, as in the kernel's `sock_fprog`.
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described)


def _program(machine: int, numbers: Sequence[int]) -> bytes:
    """Return a filter that allows system calls by their numbers."""
    count = len(numbers)
    lines = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_JUMP_IF_EQUAL, 0, count + 1, machine),  # else to the refusal
        (_LOAD, 0, 0, _NUMBER_AT),
        # The distance from the jump at `place`, over the others and the refusal, to the end.
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
