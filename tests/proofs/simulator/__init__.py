"""A deterministic simulator: a network in memory, virtual time, and chance from one seed.

Real are the SDK, aiohttp's client and asyncio. Simulated are the clock and the network with its
machines that crash (`tests/support/clock.py`, `network.py`), the service (`service`) with an HTTP
server (`server`) that injects faults (`faults`), and the program that uses the SDK (`worker`). A
`world` puts them together.

The service is a model of its own instead of the bundled server or `tests/support/fake_api.py`: it
shares no code with the package, so that both sides do not have the same mistake. It is also fast
enough for a thousand worlds.

In every world a request is executed at most `late` seconds after its client has
given up or crashed, or never; the list shows a task at most `lag` seconds after it was created.
With a settle window of `late + lag`, no job may get two tasks and none may be lost.
"""
