"""
Comparisons: models side by side.

    versions         all versions of a model repository, from their manifests
    configurations   several configurations, trained on the same rows
    text_table       the table that both print
"""
