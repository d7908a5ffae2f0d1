"""Tasks over several servers that share a database: jobs, workers and their supervision.

`startup.Assembly` asks once whether other servers share the database, and makes a `SingleServer` or
a `Fleet`. Servers give each other tasks by jobs of procrastinate. A job says where a task is done
and nothing else: what is true stands in the row of the task. `FleetWorker` begins a task by
`TaskStore.claim`, `Fleet` has the loops beside it, and its `Listener` brings what other servers
announce. PostgreSQL may do the work of a transaction again, so that waits for nothing else.
"""
