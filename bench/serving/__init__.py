"""The server beside its rivals, on one machine in one run: `make bench`."""
