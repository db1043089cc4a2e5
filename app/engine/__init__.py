"""
Models on onnxruntime: arrays in, arrays out. No HTTP.

onnxruntime's Linux wheels send telemetry and write a device id into the home folder unless this variable is set before
the first import; `disable_telemetry_events()` comes too late. Every import of the engine passes here first.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
