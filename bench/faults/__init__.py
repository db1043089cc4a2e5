"""Faults that are caused on a running server, and the table of what was seen."""
