"""Sealing of secrets, their sources, and one-time codes."""
