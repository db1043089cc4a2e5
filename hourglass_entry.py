"""
The entry points of `hourglass` and `hourglass-train`, in a module with a name that no other project has.

Many projects have a folder `app`, and with PYTHONPATH=. Python would import theirs in place of ours. So our packages
are loaded from beside this file before anything imports them by name. Further processes, such as workers, begin with
the import of this module too: multiprocessing and Lightning run the script that started their parent again.
"""

from __future__ import annotations

import os.path
import sys
from importlib.util import module_from_spec, spec_from_file_location

PACKAGES = ("app", "training")


def pin_packages() -> None:
    """Load our packages from beside this file, wherever sys.path leads."""
    for name in PACKAGES:
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name, "__init__.py")
        if not os.path.isfile(path):  # the image has no `training`
            continue
        loaded = sys.modules.get(name)
        if loaded is not None and loaded.__file__ is not None and os.path.samefile(loaded.__file__, path):
            continue
        for other in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
            del sys.modules[other]
        spec = spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


pin_packages()


def hourglass() -> int:
    """Run the command `hourglass` and return its exit code."""
    from app.__main__ import main

    return main()


def hourglass_train() -> int:
    """Run the command `hourglass-train` and return its exit code."""
    from training.__main__ import main

    return main()
