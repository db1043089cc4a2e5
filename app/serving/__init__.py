"""Processes, from the bound socket to the exit: run, listener, server, watchdog, supervisor and worker."""
