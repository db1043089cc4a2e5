"""`/v1`: tasks over plain HTTP. The body is the data, the query is the options."""
