"""The assembly of the image's files: run in the build stage, with a Python that holds docker/requirements-build.txt."""
