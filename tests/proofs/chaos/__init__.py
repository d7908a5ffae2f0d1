"""The SDK's promises under faults: seeded, in virtual time, against a server written for it alone.

The server answers Cloud API v1 as the specification describes it. It shares no code with the
bundled one, and no model of the service with the simulator or with `tests/support/fake_api.py`: a
bench whose server had the package's reading of the specification could not find that reading wrong.
The SDK is used through its public surface only, so the scenarios measure what a user sees: how late
a wait returns after the end of its task, the number of requests, and the results of paid tasks.
`python -m tests.proofs.chaos` prints one row for each scenario. It exits with 1 if a bound is
broken, or if a control does not break its bounds.
"""
