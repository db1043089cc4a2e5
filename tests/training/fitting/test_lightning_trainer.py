"""Lightning is quiet, ends like other programs on Ctrl-C, and writes only where it is told to."""

from __future__ import annotations

import logging
import warnings

import pytest

from training.fitting.lightning_trainer import quiet_lightning


def test_advice_of_lightning_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with quiet_lightning():
        logging.getLogger("lightning.pytorch").warning("more workers, please")
        warnings.warn_explicit("deprecated", UserWarning, "x.py", 1, module="lightning.pytorch.x")
        logging.getLogger("training").warning("seen")
    assert caplog.messages == ["seen"]


def test_ctrl_c_is_a_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), quiet_lightning():
        raise SystemExit(1)
