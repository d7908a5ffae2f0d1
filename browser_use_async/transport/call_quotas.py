"""The remaining calls of this session, by the service's header `RateLimit`. No I/O."""

# The field is that of draft-ietf-httpapi-ratelimit-headers-10: a list of policies, each with what
# remains and the seconds until there is more, such as `"minute";r=12;t=7`. A policy concerns the
# calls whose answers name it, and no others.

import math
import re
from typing import NamedTuple

import attrs
from multidict import istr

RATE_LIMIT = istr("RateLimit")

MAX_LENGTH = 1000  # characters of the field, and
MAX_POLICIES = 8  # policies in it; a field with more is ignored
MAX_QUOTAS = 32  # of a session; more cannot be real

# The seconds in the field are integers, so two answers may differ by a second about one reset.
_ROUNDING = 1.5

# After a reset one call learns the new quota. Others wait so many seconds for its answer.
_ANSWER_SECONDS = 1.0

_STRING = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_WORD = r"[A-Za-z*][\w!#$%&'*+.^`|~:/-]*"
_VALUE = rf"-?\d{{1,15}}(?:\.\d{{1,3}})?|{_STRING}|{_WORD}|:[A-Za-z0-9+/=]*:|\?[01]"
_PARAMETER = rf";[ ]*([a-z*][a-z0-9_.*-]*)(?:=({_VALUE}))?"
_MEMBER = re.compile(
    rf"[ \t]*({_STRING}|{_WORD})((?:{_PARAMETER})*)[ \t]*(?:,(?=[ \t]*[^ \t])|$)", re.ASCII
)
_PARAMETERS = re.compile(_PARAMETER, re.ASCII)
_COUNT = re.compile(r"\d{1,15}", re.ASCII)


class ServiceLimit(NamedTuple):
    """What is left of one policy."""

    policy: str
    remaining: int
    seconds: int  # until there is more


def read_rate_limit(text: str) -> list[ServiceLimit]:
    """The limits in the header `RateLimit` with a time; none if it is malformed."""
    if len(text) > MAX_LENGTH:
        return []
    limits: list[ServiceLimit] = []
    place, members = 0, 0
    while place < len(text):
        member = _MEMBER.match(text, place)
        members += 1
        if member is None or members > MAX_POLICIES:
            return []
        place = member.end()
        given = dict(_PARAMETERS.findall(member[2]))
        remaining, seconds = given.get("r", ""), given.get("t", "")
        # A limit with a partition key concerns a part of the calls, and it is unknown which part.
        if "pk" not in given and _COUNT.fullmatch(remaining) and _COUNT.fullmatch(seconds):
            limits.append(ServiceLimit(member[1], int(remaining), int(seconds)))
    return limits


@attrs.define(eq=False, repr=False)
class _Quota:
    """What is left of a policy until its reset."""

    remaining: float  # infinite if it is no longer known
    resets_at: float
    begun_at: float = -math.inf  # when the latest call began

    def read(self, remaining: int, resets_at: float, now: float) -> None:
        if now < self.resets_at and resets_at < self.resets_at + _ROUNDING:
            # Answers may overtake each other, and within a window the remainder only falls.
            self.remaining = min(self.remaining, remaining)
            self.resets_at = min(self.resets_at, resets_at)
        else:
            self.remaining, self.resets_at = remaining, resets_at

    def admits_at(self, in_flight: int, now: float) -> float:
        # Whether the service has counted the calls in flight is known once they are answered. No
        # more than half of the rest is sent at once, as other programs may have the same key.
        if 2 * in_flight < self.remaining:
            return -math.inf
        if now < self.resets_at:
            return self.resets_at
        is_asked = self.begun_at >= self.resets_at
        return self.begun_at + _ANSWER_SECONDS if is_asked else -math.inf


class CallQuotas:
    """The quotas that a service has named, and the calls that they concern."""

    def __init__(self, longest: float) -> None:
        # Seconds. A later reset is ignored here; `Retry-After` handles it.
        self._longest = longest
        self._by_policy: dict[str, _Quota] = {}
        self.by_call: dict[str, list[_Quota]] = {}  # by the name of its endpoint; often empty

    def learn(self, call: str, text: str, now: float) -> float | None:
        """Read the header of an answer; returns the seconds of a wait that begins with it."""
        wait = None
        limits = [each for each in read_rate_limit(text) if each.seconds <= self._longest]
        if len(self._by_policy) + len(limits) > MAX_QUOTAS:
            self.clear()
        self.record_silence(call, now)  # of the policies that the answer does not name
        for each in limits:
            resets_at = now + each.seconds
            quota = self._by_policy.get(each.policy)
            if quota is None:
                quota = self._by_policy[each.policy] = _Quota(each.remaining, resets_at)
            elif each.remaining == 0 < quota.remaining:
                wait = float(each.seconds)
            quota.read(each.remaining, resets_at, now)
        self.by_call[call] = [self._by_policy[each.policy] for each in limits]
        return wait

    def admits_at(self, call: str, in_flight: int, now: float) -> float:
        """When the next call may begin."""
        moments = [each.admits_at(in_flight, now) for each in self.by_call.get(call, ())]
        return max(moments, default=-math.inf)

    def record_begin(self, call: str, now: float) -> None:
        """A call begins."""
        for quota in self.by_call.get(call, ()):
            quota.begun_at = now

    def record_silence(self, call: str, now: float) -> None:
        """A call ended without the header: quotas whose time is over are unknown from now on."""
        for quota in self.by_call.get(call, ()):
            if now >= quota.resets_at:
                quota.remaining = math.inf

    def clear(self) -> None:
        """Forget all of them."""
        self._by_policy.clear()
        self.by_call.clear()
