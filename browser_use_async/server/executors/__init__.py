"""Whatever carries out tasks for the bundled server."""
