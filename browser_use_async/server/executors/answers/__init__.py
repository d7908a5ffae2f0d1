"""Answers: read by the names of a page, or told in words, with output files."""
