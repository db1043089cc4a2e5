"""A prior is added as a new version; the old one stays as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from app.inputs import VectorInput
from app.manifest import CARD, PRIOR, FileDigest, Manifest
from tests.helpers import tiny
from tests.helpers.linear import with_trained_prior, write_linear
from tests.helpers.training_evaluation import tiny_images
from training.config import PriorConfig
from training.data.dataset import DataSet
from training.errors import RunError
from training.priors.version import add_prior, extend_card, remove_prior


def images() -> DataSet:
    """Return 100 images to fit on and 100 more in the validation part."""
    data = tiny_images(rows=200)
    return replace(data, validation=data.test)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_next_version_has_the_prior_and_the_same_pair(tmp_path: Path) -> None:
    first, config = tiny.write_version(tmp_path), PriorConfig(components=1)
    before = contents(first)
    second = add_prior(first, Manifest.read(first), images(), config, 0, tmp_path)
    assert second == tmp_path / "tiny" / "2"
    assert contents(first) == before
    manifest = Manifest.read(second)
    assert manifest.files.keys() == {*Manifest.read(first).files, PRIOR, "figures/samples.png"}
    assert contents(second)["encoder.onnx"] == before["encoder.onnx"]
    assert load_version(second, "tiny", 2).generate(3, seed=0).shape == (3, 1, 2, 2)


def test_a_second_prior_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path, prior=True)
    second = add_prior(first, Manifest.read(first), images(), PriorConfig(components=2, covariance="full"), 0, tmp_path)
    prior = Manifest.read(second).prior
    assert prior is not None
    assert (prior.components, prior.covariance) == ((2,), "full")
    assert load_version(second, "tiny", 2).manifest.prior == prior


def test_a_prior_that_was_trained_with_the_pair_stays(tmp_path: Path) -> None:
    exact = with_trained_prior(write_linear(tmp_path), np.zeros(2), np.ones(2))
    before = contents(tmp_path)
    with pytest.raises(RunError, match="its prior was trained with the network"):
        add_prior(tmp_path, exact.model.manifest, exact.data, PriorConfig(), 0, tmp_path)
    assert contents(tmp_path) == before


def test_a_table_without_a_card_has_no_figure(tmp_path: Path) -> None:
    first, data = tiny.write_version(tmp_path, kind=tiny.TABLE), images()
    part = replace(data.train, samples=data.train.samples.reshape(-1, 4))
    kind = VectorInput(shape=(4,), feature_names=("a", "b", "c", "d"))
    table = replace(data, input=kind, train=part, validation=part, test=part)
    second = add_prior(first, Manifest.read(first), table, PriorConfig(components=1), 0, tmp_path)
    assert Manifest.read(second).files.keys() == {*Manifest.read(first).files, PRIOR}


def test_a_manifest_of_format_1_becomes_one_of_format_2(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path)
    old = Manifest.read(first).model_copy(update={"format": 1})
    old.write(first)
    second = add_prior(first, Manifest.read(first), images(), PriorConfig(components=1), 0, tmp_path)
    assert (Manifest.read(first).format, Manifest.read(second).format) == (1, 2)


def test_the_card_has_the_new_number_and_a_section_about_the_prior(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path)
    (first / CARD).write_text("# tiny, version 1\n\nGood.\n")
    manifest = Manifest.read(first)
    files = {**manifest.files, CARD: FileDigest.of(first / CARD)}
    manifest.model_copy(update={"files": files}).write(first)
    for number in (2, 3):  # the second time, the prior of the first is replaced
        last = tmp_path / "tiny" / str(number - 1)
        folder = add_prior(last, Manifest.read(last), images(), PriorConfig(components=1), 0, tmp_path)
        card = (folder / CARD).read_text()
        assert card.startswith(f"# tiny, version {number}\n\nGood.\n\n## Prior\n\nThis prior was added")
        assert card.count("## Prior") == 1
        assert "by `prior.onnx`, a mixture of 1 Gaussians with" in card
        assert card.endswith("(figures/samples.png)\n\nDecoded samples of the prior, seed 0.\n")


def test_a_card_without_a_figure_shows_none(tmp_path: Path) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path, version=2, family="variational-autoencoder"))
    assert extend_card("# tiny, version 1\n\nGood.\n", manifest, has_figure=False) == (
        "# tiny, version 2\n\nGood.\n\n## Prior\n\nThis prior was added to an earlier version of the model, whose "
        "numbers stand above. It generates from draws of N(0, I).\n"
    )


@pytest.mark.parametrize("family", ["autoencoder", "variational-autoencoder"])
def test_without_its_prior_a_version_is_as_before(tmp_path: Path, family: str) -> None:
    plain, prior = (
        Manifest.read(tiny.write_version(tmp_path / name, family=family, prior=name == "prior"))  # type: ignore[arg-type]
        for name in ("plain", "prior")
    )
    assert remove_prior(plain) is plain
    removed = remove_prior(prior)
    assert (removed.tasks, removed.prior, PRIOR in removed.files) == (plain.tasks, None, False)


def test_n01_that_stays_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    first = tiny.write_version(tmp_path, family="variational-autoencoder")
    with pytest.raises(
        RunError, match=r"N\(0, I\) stays the prior, and nothing was written; --kind gmm fits a mixture"
    ):
        add_prior(first, Manifest.read(first), images(), PriorConfig(kind="normal"), 0, tmp_path)
    assert [path.name for path in first.parent.iterdir()] == ["1"]
