"""A ledger in PostgreSQL, which many processes share, and the jobs that spread its items."""
