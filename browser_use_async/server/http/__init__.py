"""What a server says by HTTP."""
