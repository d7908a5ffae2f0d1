"""Speed, memory and requests, beside other clients."""
