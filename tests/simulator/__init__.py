"""A deterministic simulator: a network in memory, virtual time, and chance from one seed.

Real are the SDK, aiohttp's client and asyncio. Simulated are the clock (`clock`), the wires and the
machines that die (`network`), the service (`service`, a small model of its own, so that one mistake
is not made twice, and fast) with its front (`front`) where faults happen (`faults`), and the
program that uses the SDK (`worker`). A `world` puts them together.

What holds in every world: a request is carried out at most `late` seconds after its client has
given up or died, or never; the list shows a task at most `lag` seconds after it was created. With
a settle window of `late + lag`, no job may get two tasks and none may be lost.
"""
