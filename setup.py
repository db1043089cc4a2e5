"""
The packages of the distribution; pyproject.toml holds everything else.

The bundled models lie in the folder `models` here, and in `app/bundled` once installed; setuptools takes any folder in
a package for a package. A build without the folder, such as the image's, leaves the models out.
"""

from pathlib import Path

from setuptools import find_packages, setup

BUNDLED = {"app.bundled": "models"} if Path("models").is_dir() else {}

setup(packages=[*find_packages(include=["app", "app.*", "training", "training.*"]), *BUNDLED], package_dir=BUNDLED)
