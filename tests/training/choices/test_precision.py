"""Convolutions are trained in bfloat16 exactly where the processor has instructions for it."""

from __future__ import annotations

import pytest
import torch

from training.choices.precision import choose_precision, multiplies_bfloat16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"bf16": True}, True), ({"avx2": True}, False)],
)
def test_the_processor_decides(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert multiplies_bfloat16() is expected
    precision, reason = choose_precision("conv")
    assert (precision, bool(reason)) == (("bf16-mixed" if expected else "32-true"), expected)


@pytest.mark.parametrize("supported", [True, False])
def test_a_gpu_decides_where_there_is_one(monkeypatch: pytest.MonkeyPatch, supported: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": not supported})
    assert multiplies_bfloat16() is supported


def test_dense_layers_stay_in_float32() -> None:
    assert choose_precision("dense") == ("32-true", "")
