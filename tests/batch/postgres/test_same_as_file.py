"""The tests of a ledger in a file, with one in PostgreSQL: the promises are the same."""
from tests.batch.test_runner import *
from tests.batch.test_retries import *
