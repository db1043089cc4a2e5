"""The causes of faults, by the part that fails: each function starts servers, causes faults, and yields rows."""
