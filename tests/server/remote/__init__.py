"""Tasks that the hosted service runs, on fakes of its versions 2 and 4."""
