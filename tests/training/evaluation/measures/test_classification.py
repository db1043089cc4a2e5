"""The error of a classifier is that of the exported encoder's latents."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.helpers.training_evaluation import tiny_images, tiny_model
from training.evaluation.measures.classification import measure_classification
from training.evaluation.subject import Subject
from training.networks.classifier import Classifier


def test_the_error_is_the_share_of_rows_whose_class_is_not_the_likeliest(tmp_path: Path) -> None:
    """Classes take turns, so a classifier that always says the first is wrong for half of the rows."""
    subject = Subject.of(tiny_model(tmp_path), tiny_images(("a", "b")))
    classifier = Classifier(subject.manifest.latent_dim, 2, weight=1.0)
    with torch.no_grad():
        classifier.layer.weight.zero_()
        classifier.layer.bias.copy_(torch.tensor([1.0, 0.0]))
    measurement = measure_classification(subject, classifier)
    assert measurement.values == {"classification_error": 0.5}
    assert measurement.data_set == "tiny, test part, 20 samples"
