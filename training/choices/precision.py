"""The precision of the products in training, by what the processor is fast at."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["32-true", "bf16-mixed"]


def choose_precision(architecture: Literal["conv", "dense"]) -> tuple[Precision, str]:
    """
    Return the precision and the reason for it, which is empty for the usual one.

    Convolutions take half the time in bfloat16 where the processor has instructions for it. Dense layers are small,
    and tables have numbers that need all their digits.
    """
    if architecture == "conv" and multiplies_bfloat16():
        return "bf16-mixed", "the processor multiplies in bfloat16; losses and weights stay in float32"
    return "32-true", ""


def multiplies_bfloat16() -> bool:
    """Return whether the GPU, or the CPU if there is none, has instructions for products in bfloat16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
