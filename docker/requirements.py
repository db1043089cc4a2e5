"""Print the server's dependencies out of pyproject.toml, one a line, for a layer that changes only when they do."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
sys.stdout.write("\n".join(project["dependencies"]) + "\n")
