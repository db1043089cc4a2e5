"""Processes, from the bound socket to the exit: run, listener, server, signals, watchdog, supervisor and worker."""
