"""Warnings about denoising that does harm: an answer worse than its noisy input, or than a classical filter's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.manifest import Measurement

CLASSICAL = {
    "median": "a 3x3 median",
    "blur": "a Gaussian blur",
    "ridge": "a linear ridge denoiser",
    "tv": "total variation",
    "wavelet": "wavelets",
}
"""The names of the classical filters, by the prefix of their measurements."""


def denoising_alarms(measurements: Sequence[Measurement]) -> list[str]:
    """Return a warning for each kind and amount of noise at which denoising does harm; empty if there are none."""
    return [
        f"denoising {_describe_noise(measurement)}: {problem}"
        for measurement in measurements
        if "noise_amount" in measurement.values and (problem := _find_problem(measurement.values))
    ]


def _find_problem(values: Mapping[str, float]) -> str | None:
    """Return what is better than the model's answer, with the numbers; None if nothing is."""
    measure, digits, unit = ("psnr", ".1f", " dB") if "psnr" in values else ("mse", ".4g", "")
    sign = 1 if measure == "psnr" else -1
    own, noisy = values[measure], values[f"noisy_{measure}"]
    filters = {name: values[f"{name}_{measure}"] for name in CLASSICAL if f"{name}_{measure}" in values}
    best = max(filters, key=lambda name: sign * filters[name], default=None)
    rivals = {"the noisy input": noisy} | ({} if best is None else {CLASSICAL[best]: filters[best]})
    better = [f"{number:{digits}}{unit} of {name}" for name, number in rivals.items() if sign * number > sign * own]
    if not better:
        return None
    return f"the answer is worse, with {measure.upper()} {own:{digits}}{unit}, than the {' and the '.join(better)}"


def _describe_noise(measurement: Measurement) -> str:
    """Return the kind and the amount, such as `Gaussian noise of 0.1`. The protocol begins with the kind."""
    return f"{measurement.protocol.partition(' ')[0]} noise of {measurement.values['noise_amount']:g}"
