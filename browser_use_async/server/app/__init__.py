"""What stands at which address of a server, and how a request finds it."""
