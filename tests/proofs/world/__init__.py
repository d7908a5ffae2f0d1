"""Worlds in virtual time: a network in memory, faults, crashes, wrong clocks; seeds are all chance.

Real are the SDK, aiohttp's client and asyncio. Simulated are the clock and the network with its
machines that crash (`tests/support/clock.py`, `network.py`), and the service (`FakeService`) with
an HTTP server (`server`) on which faults happen (`faults`). The service shares no code with the
package and with the bundled server, so that both sides do not have the same mistake.

There are two kinds of worlds. In those of `machines` one program (`worker`, or a batch) is killed
at any event and started again, and each request fails by chance. A request is executed at most
`late` seconds after its client has given up or crashed, or never; the list shows a task at most
`lag` seconds after it was created. With a settle window of `late + lag`, no job may get two tasks
and none may be lost. In those of `clients` many callers (`workloads`) use one session under rules
for faults, wrong lists (`lies`), and failures inside of their process. They measure what a user
sees: how late a wait returns, the number of requests, and the results of paid tasks.

`scenarios` has all of them with their bounds. `make proof-world` prints one row for each. It exits
with 1 if a bound is broken, or if a control does not break its bounds.
"""
