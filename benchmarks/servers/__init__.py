"""Servers that benchmarks measure against, each in a process of its own.

They are not `tests/support/fake_api.py`: they answer for other services too, whose clients are
measured beside this one, and as cheaply as they can, so that the client is measured.
"""
