"""
A client of Hourglass: encode images, decode latents, generate samples.

Start the server with `make serve`, then run `.venv/bin/python examples/client.py`. It needs nothing but Python.
"""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
DIGIT = Path(__file__).parent.parent / "docs" / "images" / "digit.png"


def ask(model: str, task: str, body: bytes = b"", content_type: str = "application/json") -> dict[str, Any]:
    """Return the answer to one task. Raises urllib.error.HTTPError, whose body says what was expected."""
    request = Request(f"{ADDRESS}/v1/models/{model}/{task}", body, {"Content-Type": content_type})
    with urlopen(request) as answer:
        return dict(json.load(answer))


latents = ask("mnist-vae-2d", "encode", DIGIT.read_bytes(), "image/png")["latents"]
print("a handwritten 7 is encoded as", latents[0])

samples = ask("mnist-vae-2d", "decode", json.dumps({"latents": latents}).encode())["samples"]
for row in samples[0][0]:
    print("".join("#" if pixel > 0.5 else "+" if pixel > 0.1 else " " for pixel in row))

answer = ask("mnist-vae", "generate?count=4")
print("generated", len(answer["samples"]), "digits; to repeat them, pass seed =", answer["seed"])
