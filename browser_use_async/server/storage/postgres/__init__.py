"""PostgreSQL as the database of several servers at once. It needs the extra `fleet`."""
