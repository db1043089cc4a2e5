"""The reader of a folder of image files."""
