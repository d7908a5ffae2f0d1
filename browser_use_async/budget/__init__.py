"""Scopes that bound what everything started inside of them may cost."""
