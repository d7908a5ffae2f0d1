"""What queues and servers share of PostgreSQL: addresses, connections, jobs. Extra `fleet`."""
