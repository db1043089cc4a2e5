"""
Tables: from the text or the columns of a file to numbers with names.

    text       bytes of a text file as UTF-8, with a stated guess of its encoding
    dialect    separator, header and comment lines of a text file
    columns    one column as numbers, or as text with the reason why it is none
    numerals   text as numbers: decimal commas and separators of thousands
    indices    columns that only number the rows
    selection  the columns that are features
    matching   another file with the same features
    assembly   columns as the samples of a source: one-hot columns, missing values, findings
"""
