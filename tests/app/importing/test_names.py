"""Names of outputs have the meaning that frameworks and their users give them, or none."""

from __future__ import annotations

import pytest

from app.errors import UnfitGraph
from app.importing.names import (
    decoder_meaning,
    encoder_meaning,
    parse_decoder_words,
    parse_encoder_words,
    recognise_decoder,
    recognise_encoder,
    settle_encoder_words,
)

ENCODER: list[tuple[str, str | None]] = [
    ("mu", "mu"), ("z_mean", "mu"), ("zMean:0", "mu"), ("encoder/latent_mean", "mu"), ("z_loc", "mu"),
    ("qz_m", "mu"), ("m", None), ("mu_z", "mu"), ("zmean", "mu"), ("z_mean_1", "mu"),
    ("logvar", "logvar"), ("z_log_var", "logvar"), ("log_covariance", "logvar"), ("log_sigma_sq", "logvar"),
    ("log_sigma2", "logvar"), ("logvar_z", "logvar"), ("posterior_log_variance", "logvar"),
    ("log_std", "log_std"), ("z_log_sigma", "log_std"), ("logStd", "log_std"), ("log_scale", "log_std"),
    ("log_sigma_2", None),
    ("sigma", "sigma"), ("z_std", "sigma"), ("z_scale", "sigma"), ("StdDev", "sigma"),
    ("variance", "variance"), ("qz_v", "variance"), ("sigma2", "variance"), ("v", None), ("z_var", "variance"),
    ("z", "z"), ("sampling", "z"), ("latent_sample", "z"), ("latents", "z"), ("embedding", "embedding"),
    ("moments", "halves"), ("latent_parameters", "halves"), ("Identity_1:0", None), ("dense_3", None),
]  # fmt: skip
DECODER: list[tuple[str, str | None]] = [
    ("x_hat", "samples"), ("recon", "samples"), ("reconstruction", "samples"), ("mean", "samples"),
    ("px_m", "samples"), ("px_rate", "samples"), ("recon_mean", "samples"), ("decoded", "samples"),
    ("sample", "samples"), ("logits", "logits"), ("x_logits", "logits"), ("recon_logit", "logits"),
    ("logvar", "-"), ("x_log_var", "-"), ("px_v", "-"), ("recon_sigma", "-"), ("px_scale", "-"), ("dense_3", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "meaning"), ENCODER)
def test_names_of_an_encoders_outputs_have_a_meaning(name: str, meaning: str | None) -> None:
    assert encoder_meaning(name) == meaning


@pytest.mark.parametrize(("name", "meaning"), DECODER)
def test_names_of_a_decoders_outputs_have_a_meaning(name: str, meaning: str | None) -> None:
    assert decoder_meaning(name) == meaning


SETTLED: list[tuple[list[str | None], tuple[str, ...] | None]] = [
    (["mu", "logvar", "z"], ("mu", "logvar", "z")),
    (["mu", "sigma", "logvar"], ("mu", "-", "logvar")),
    (["embedding", "logvar"], ("mu", "logvar")),
    ([None, "mu", "log_std"], ("-", "mu", "log_std")),
    (["z", None], ("latents", "-")),
    (["mu", "mu", "logvar"], None),
    (["mu", None], None),
    (["logvar", "z"], None),
    ([None, None], None),
    (["z", "z"], None),
]


@pytest.mark.parametrize(("meanings", "words"), SETTLED)
def test_outputs_are_latents_or_a_mean_with_one_spread(
    meanings: list[str | None], words: tuple[str, ...] | None
) -> None:
    assert settle_encoder_words(meanings) == words


WORDS: list[tuple[str, tuple[str, ...]]] = [
    ("mu,logvar,z", ("mu", "logvar", "z")),
    ("mean, log_sigma , -", ("mu", "log_std", "-")),
    ("ignore,mean,std", ("-", "mu", "sigma")),
    ("latents", ("latents",)),
    ("z,ignore", ("latents", "-")),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_options_name_outputs_in_many_words(text: str, words: tuple[str, ...]) -> None:
    assert parse_encoder_words(text) == words


@pytest.mark.parametrize("text", ["", "mu", "mu,width", "logvar", "latents,latents", "mu,logvar,latents"])
def test_words_without_a_meaning_are_refused(text: str) -> None:
    with pytest.raises(UnfitGraph, match="expected latents, or mu with logvar, log_std, sigma or variance"):
        parse_encoder_words(text)


def test_a_decoder_gives_samples_or_logits() -> None:
    assert parse_decoder_words("logvar,mean") == ("-", "samples")
    assert parse_decoder_words("ignore,logits") == ("-", "logits")
    for text in ("logvar", "mean,recon", "width,mean"):
        with pytest.raises(UnfitGraph, match="expected one of samples, mean or logits"):
            parse_decoder_words(text)


def test_recognised_outputs_need_no_option() -> None:
    assert recognise_encoder("e.onnx", ["anything"]) == ("latents",)
    assert recognise_encoder("e.onnx", ["latent_parameters"]) == ("mu", "logvar")
    assert recognise_decoder("d.onnx", ["anything"]) == ("samples",)
    assert recognise_decoder("d.onnx", ["recon", "logits"]) == ("samples", "-")
    assert recognise_decoder("d.onnx", ["logits", "logvar"]) == ("logits", "-")


def test_the_example_of_a_message_has_a_word_for_each_output() -> None:
    with pytest.raises(UnfitGraph, match="pass --encoder-gives, such as mu,logvar,z,ignore, in this order"):
        recognise_encoder("e.onnx", ["a", "b", "c", "d"])
    with pytest.raises(UnfitGraph, match="pass --decoder-gives, such as samples,ignore,ignore, in this order"):
        recognise_decoder("d.onnx", ["a", "b", "c"])
