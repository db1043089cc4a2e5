"""Exit 0 when the server in this container is ready: the slim image has no curl."""

import os
import sys
import urllib.request

address = f"http://127.0.0.1:{os.environ.get('HOURGLASS_PORT', '8000')}/readyz"
try:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # Docker may have set a proxy
    with direct.open(address, timeout=2) as answer:
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(f"{address}: {error}")
