"""Observing: the observations of a session, and what listens to them."""
