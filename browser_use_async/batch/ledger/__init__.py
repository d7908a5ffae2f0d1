"""The durable record of a batch: one SQLite file, one owner, and anybody may read it."""
