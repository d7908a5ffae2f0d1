"""The lifecycle verbs of a session, by what they are about."""
