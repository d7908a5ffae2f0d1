"""Tasks that the hosted service carries out, by version 2 or 4 of its API."""
