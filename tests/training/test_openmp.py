"""OpenMP's threads sleep while they wait, unless the user says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn.mixture  # noqa: F401  which loads OpenMP
from threadpoolctl import threadpool_info, threadpool_limits

from training.openmp import PASSIVE, one_thread, wait_passively


def test_waiting_is_passive_by_default() -> None:
    environment = {"PATH": "/bin"}
    wait_passively(environment)
    assert environment == {"PATH": "/bin", **PASSIVE}


@pytest.mark.parametrize("name", PASSIVE)
def test_a_variable_of_the_user_is_left_alone(name: str) -> None:
    environment = {name: "any"}
    wait_passively(environment)
    assert environment == {name: "any"}


@pytest.mark.parametrize(("chosen", "expected"), [({}, "0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")])
def test_the_command_sets_them_before_torch_is_imported(chosen: dict[str, str], expected: str) -> None:
    program = (
        "import os, sys; from training.__main__ import main; seen = [];"
        "sys.addaudithook(lambda event, arguments: seen.append(os.environ.get('GOMP_SPINCOUNT'))"
        " if event == 'import' and arguments[0] == 'torch' else None);"
        "main(['evaluate', 'none']); print(seen[0])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in PASSIVE} | chosen
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert ended.stdout.split() == [expected], ended.stderr


def threads() -> set[int]:
    """Return the numbers of threads of the libraries that NumPy and scikit-learn have loaded."""
    assert np.ones((2, 2)).sum() == 4
    return {int(library["num_threads"]) for library in threadpool_info()}


def test_small_work_has_one_thread_and_what_comes_after_it_has_all() -> None:
    with threadpool_limits(limits=2):
        with one_thread():
            assert threads() == {1}
        assert threads() == {2}
