"""Mutants: the package with one defence removed. Each must make its killers fail."""
