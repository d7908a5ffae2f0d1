"""Connections to PostgreSQL, which ledgers and servers share."""
