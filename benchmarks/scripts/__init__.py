"""Scripts on twelve kinds of sites, each of which changes in six ways after it was recorded."""
