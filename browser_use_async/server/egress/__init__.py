"""The one rule for connections that leave this machine: policy, name look-ups and proxy."""
