"""A prior is trained with the network only where a bound has room for it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from training.config import Config, PriorConfig, load_config

JOINT = {"kind": "realnvp", "joint": True}


@pytest.mark.parametrize("kind", ["auto", "gmm", "flow-matching", "normal", "none"])
def test_only_realnvp_is_trained_with_the_network(kind: str) -> None:
    with pytest.raises(ValidationError, match="only kind: realnvp is trained with the network"):
        PriorConfig.model_validate({"kind": kind, "joint": True})
    assert not PriorConfig.model_validate({"kind": kind}).joint


@pytest.mark.parametrize("name", ["digits-ae", "digits-sdae"])
def test_only_a_variational_autoencoder_has_a_bound(name: str) -> None:
    document = load_config(name).model_dump()
    with pytest.raises(ValidationError, match="only a variational autoencoder has a bound"):
        Config.model_validate({**document, "prior": JOINT})


@pytest.mark.parametrize("option", [{"conditional": True}, {"free_bits": 0.1}, {"importance_samples": 5}])
def test_other_bounds_have_no_room_for_it(option: dict[str, Any]) -> None:
    document = load_config("digits-vae").model_dump()
    assert Config.model_validate({**document, "prior": JOINT}).prior.joint
    with pytest.raises(ValidationError, match="excludes conditional, free_bits and several importance_samples"):
        Config.model_validate({**document, "objective": {**document["objective"], **option}, "prior": JOINT})
