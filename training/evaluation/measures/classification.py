"""The error of the softmax layer that a stack was fine-tuned with."""

from __future__ import annotations

import numpy as np
import torch

from app.manifest import Measurement
from training.evaluation.subject import Subject
from training.networks.classifier import Classifier


def measure_classification(subject: Subject, classifier: Classifier) -> Measurement:
    """Return the share of the test rows whose class is not the likeliest one, by the latents of the exported graph."""
    test = subject.data.test
    assert test.labels is not None
    with torch.no_grad():
        classes = classifier(torch.from_numpy(subject.encode(test))).argmax(1).numpy()
    return Measurement(
        data_set=subject.description,
        protocol="share of the test rows that the softmax layer of the fine-tuning gives a wrong label, by the latents",
        values={"classification_error": float(np.mean(classes != test.labels))},
    )
