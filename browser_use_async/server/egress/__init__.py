"""Connections that leave this machine: policy, name look-ups and proxy."""
