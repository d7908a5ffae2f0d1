"""Tests of scripts: steps that are recorded once and played again."""
