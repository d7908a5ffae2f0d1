"""Tasks over several servers that share a database: jobs, workers and their supervision."""
