"""What stands at which address of a server, and how a request finds it.

Each request passes one middleware (`application`), which checks the host, counts, lets faults act
and answers errors. Then `http.authorization` checks the key, and `dispatch` reads the inputs and
calls the operation. There is no second way for a call.
"""
