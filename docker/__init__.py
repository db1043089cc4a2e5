"""The image: its locked requirements, its assembly, its proof, and the tests of the result."""
