"""
Situations that users of autoencoders, ONNX files and model servers meet, each tried, before a change and after it.

    case         Case: one situation, a function that tries it, and the right outcome
    programs     the commands and the server, started as users start them
    trial        a process of its own that tries the cases with one checkout
    wire         requests in the exact bytes of clients, and the server that answers them

Every other module is about one subject and has a list `CASES`. It must import `app` and `training` inside functions: an
older checkout may lack what it imports.
"""
