"""Tasks that the hosted service carries out, by version 4 of its API."""
