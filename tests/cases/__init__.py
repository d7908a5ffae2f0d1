"""The catalogue of faults and abuses: each case has a name, a test, and what breaks it."""
