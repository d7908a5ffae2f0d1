"""The durable record of a batch: one SQLite file with one writer and any number of readers."""
