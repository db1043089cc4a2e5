"""Drift: bins of p-values, windows of the last rows, and tests that compare them with the calibration rows."""
