"""A reader for each kind of file: it returns the rows as they are in the file, as a Source."""
