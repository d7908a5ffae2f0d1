"""Checks of a Cloud API v1 server, call by call, as the specification has it."""
