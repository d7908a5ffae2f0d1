"""Mutants: the package with one defence removed. Each must make the tests of its cases fail."""
