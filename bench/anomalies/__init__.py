"""
Anomalies: the scorers that the trainer makes, beside the detectors that people use.

    tables      ADBench's tables: half of the normal rows to train, the others and all anomalies to test
    digits      one digit is normal, the others are not
    cost        the time of a score beside that of a reconstruction
"""
