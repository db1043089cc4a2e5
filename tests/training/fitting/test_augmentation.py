"""Copies are shifted with repeated edges, or mirrored, and depend on the draws only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers.configurations import bundled_config
from tests.helpers.training_data import data_of, random_images
from training.config import AugmentationConfig
from training.fitting.augmentation import augment
from training.fitting.draws import Draws
from training.fitting.pair_stages import WholeNetwork
from training.fitting.ranks import BatchShare
from training.fitting.trainer import fit

FLIP, SHIFT = AugmentationConfig(shift=0, flip=True), AugmentationConfig(shift=2, flip=False)
BOTH = AugmentationConfig(shift=2, flip=True)
IMAGE = torch.arange(2 * 4 * 5.0).view(1, 2, 4, 5)
"""Two channels of 4 x 5 pixels, each of another value."""


def moved(image: Tensor, down: int, right: int) -> Tensor:
    """Return an image that is moved pixel by pixel, with the nearest pixel for those that enter."""
    _, height, width = image.shape
    pixels = [
        [image[:, min(max(y - down, 0), height - 1), min(max(x - right, 0), width - 1)] for x in range(width)]
        for y in range(height)
    ]
    return torch.stack([torch.stack(row, dim=1) for row in pixels], dim=1)


def test_an_image_is_itself_or_mirrored_in_half_of_the_copies_each() -> None:
    copies = augment(IMAGE.expand(1000, -1, -1, -1), FLIP, Draws(0))
    mirrored = torch.stack(
        [torch.equal(copy, IMAGE[0, :, :, [4, 3, 2, 1, 0]]) | torch.tensor(False) for copy in copies]
    )
    same = torch.stack([torch.equal(copy, IMAGE[0]) | torch.tensor(False) for copy in copies])
    assert (mirrored ^ same).all()
    assert 430 < int(mirrored.sum()) < 570


def test_every_shift_comes_equally_often_and_repeats_the_edges() -> None:
    """Each of 25 shifts is expected 100 times, with a deviation of 10."""
    counts = dict.fromkeys([(down, right) for down in range(-2, 3) for right in range(-2, 3)], 0)
    places = {tuple(moved(IMAGE[0], *shift).flatten().tolist()): shift for shift in counts}
    assert len(places) == 25
    for copy in augment(IMAGE.expand(2500, -1, -1, -1), SHIFT, Draws(0)):
        counts[places[tuple(copy.flatten().tolist())]] += 1
    assert all(50 < count < 150 for count in counts.values())


def test_images_of_a_batch_are_changed_each_by_its_own_draw() -> None:
    samples = torch.rand(20, 3, 6, 6)
    copies = augment(samples, BOTH, Draws(0))
    candidates = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    used = set()
    for copy, sample in zip(copies, samples, strict=True):
        matches = [
            (flip, *shift)
            for flip, image in enumerate((sample, sample.flip(2)))
            for shift in candidates
            if torch.equal(copy, moved(image, *shift))
        ]
        assert len(matches) == 1
        used.update(matches)
    assert len(used) > 10


def test_the_same_draws_give_the_same_copies_and_leave_the_images_alone() -> None:
    samples = torch.rand(8, 1, 6, 6)
    before = samples.clone()
    first, second, other = (augment(samples, BOTH, Draws(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(samples, before)


def test_two_processes_make_the_copies_of_one() -> None:
    samples = torch.rand(7, 1, 6, 6)
    shares = [BatchShare.of(7, rank, 2) for rank in (0, 1)]
    copies = [augment(samples[s.first : s.first + s.rows], BOTH, Draws(3, share=s)) for s in shares]
    assert torch.equal(torch.cat(copies), augment(samples, BOTH, Draws(3)))


@pytest.mark.parametrize("options", [AugmentationConfig(shift=0, flip=False), AugmentationConfig()])
def test_without_a_decided_shift_or_flip_images_stay(options: AugmentationConfig) -> None:
    assert torch.equal(augment(IMAGE, options, Draws(0)), IMAGE)


def test_only_training_sees_copies_and_their_labels_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pixel of a row is the number of the image, in both channels' edges; a flip does not move it."""
    images = random_images(40, 1, 8, 8) / 255.0
    images[:, 0, 0] = (torch.arange(40) / 40).numpy()[:, None]
    data = data_of(images)
    labelled = dataclasses.replace(data.train, labels=torch.arange(40).numpy())
    data = dataclasses.replace(data, train=labelled)
    seen: dict[bool, list[tuple[Tensor, Tensor]]] = {False: [], True: []}
    terms = WholeNetwork.terms

    def watched(
        self: WholeNetwork, samples: Tensor, labels: Tensor, draws: Draws, validating: bool
    ) -> dict[str, Tensor]:
        seen[validating].append((samples.clone(), labels))
        return terms(self, samples, labels, draws, validating)

    monkeypatch.setattr(WholeNetwork, "terms", watched)
    config = bundled_config("digits-ae", epochs=1).model_copy(update={"augmentation": FLIP})
    fit(config, data, tmp_path / "run", accelerator="cpu")
    original = torch.from_numpy(data.train.samples)
    samples, labels = (torch.cat(parts) for parts in zip(*seen[False], strict=True))
    torch.testing.assert_close(samples[:, 0, 0, 0], labels / 40)
    mirrored = [not torch.equal(sample, original[label]) for sample, label in zip(samples, labels, strict=True)]
    assert 5 < sum(mirrored) < 35
    for sample, label in zip(samples[mirrored], labels[mirrored], strict=True):
        assert torch.equal(sample, original[label].flip(2))
    assert seen[True]
    held_out = {sample.numpy().tobytes() for batch, _ in seen[True] for sample in batch}
    assert held_out == {sample.tobytes() for sample in data.validation.samples}
