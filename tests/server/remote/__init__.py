"""Tasks that the hosted service carries out, on fakes of its versions 2 and 4."""
