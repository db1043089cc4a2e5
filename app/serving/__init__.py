"""
Processes, from the bound socket to the exit.

Its modules are run, listener, unix_socket, grpc_port, server, signals, watchdog, supervisor and worker.
"""
