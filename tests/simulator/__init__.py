"""A deterministic simulator: a network in memory, virtual time, and chance from one seed."""
