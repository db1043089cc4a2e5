"""
Data sets from files: read, checked, split and described.

    load.py       finds the files and chooses their reader; the entry of this package
    readers/      one module per kind of file; each returns a Source
    source.py     Source: the rows as a reader found them, and the order of their axes
    prepare.py    from a Source to a DataSet, in the steps of survey.py, labels.py, split.py and storage.py
    dataset.py    DataSet and its three parts, each a Split
    findings.py   Findings: the counts printed before training
"""
