"""/v1, for people and programs that speak HTTP. The body is the data, the query is the options."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter

from app.api.options import DecodeOptions, DenoiseOptions, EncodeOptions, GenerateOptions, InterpolateOptions
from app.api.replies import Answer, Reply, drawn_seed
from app.api.schemas import Denoised, Latents, ModelList, Reconstructions, Samples
from app.api.service import CurrentService, NamedModel, NamedVersion
from app.api.tasks import task
from app.engine.served import ServedModel
from app.manifest import Manifest

Array = npt.NDArray[np.float32]

router = APIRouter(prefix="/v1")


@router.get("/models", operation_id="list_models", tags=["models"], summary="The manifest of every model")
async def list_models(service: CurrentService) -> ModelList:
    """The manifest of every model, each in its default version."""
    return ModelList(models=[model.manifest for model in service.repository])


@router.get("/models/{model}", operation_id="get_model", tags=["models"], summary="The manifest of a model")
async def get_model(model: NamedModel) -> Manifest:
    """The manifest of a model's default version, the largest."""
    return model.manifest


@router.get(
    "/models/{model}/versions",
    operation_id="list_versions",
    tags=["models"],
    summary="The manifests of all versions of a model",
)
async def list_versions(model: NamedModel, service: CurrentService) -> ModelList:
    """The manifests of all versions of a model that are served."""
    versions = service.repository.versions(model.manifest.name)
    return ModelList(models=[version.manifest for version in versions.values()])


@router.get(
    "/models/{model}/versions/{version}",
    operation_id="get_version",
    tags=["models"],
    summary="The manifest of one version of a model",
)
async def get_version(model: NamedVersion) -> Manifest:
    """The manifest of one version of a model."""
    return model.manifest


@task("encode", takes="samples", gives="latents", answer=Latents)
async def encode(model: ServedModel, options: EncodeOptions, samples: Array, reply: Reply) -> Answer:
    """
    Map samples to latent vectors: the posterior mean, of a variational model.

    With `sample=true` each vector is a draw from the sample's posterior instead.
    """
    if not options.sample:
        return await reply.array(await model.encode(samples))
    seed = drawn_seed(options.seed)
    return await reply.array(await model.sample_posterior(samples, seed), seed=seed)


@task("decode", takes="latents", gives="samples", answer=Samples)
async def decode(model: ServedModel, options: DecodeOptions, latents: Array, reply: Reply) -> Answer:
    """Map latent vectors to samples."""
    return await reply.array(await model.decode(latents, options.label), columns=options.columns)


@task("reconstruct", takes="samples", gives="samples", answer=Reconstructions)
async def reconstruct(model: ServedModel, options: DecodeOptions, samples: Array, reply: Reply) -> Answer:
    """Encode and decode samples, and tell each one's mean squared error."""
    result = await model.reconstruct(samples, options.label)
    return await reply.array(result.samples, columns=options.columns, errors=result.errors)


@task("denoise", takes="samples", gives="samples", answer=Denoised)
async def denoise(model: ServedModel, options: DenoiseOptions, samples: Array, reply: Reply) -> Answer:
    """
    Restore clean samples from noisy ones.

    With `noise`, the samples are corrupted first, and a JSON answer holds what they had become under `noisy`.
    """
    if options.noise is None:
        return await reply.array(await model.denoise(samples, options.label), columns=options.columns)
    seed = drawn_seed(options.seed)
    amount = 0.5 if options.amount is None else options.amount
    noisy = await model.corrupt(samples, options.noise, amount, seed)
    clean = await model.denoise(noisy, options.label)
    return await reply.array(clean, seed=seed, columns=options.columns, noisy=noisy)


@task("generate", takes=None, gives="samples", answer=Samples)
async def generate(model: ServedModel, options: GenerateOptions, reply: Reply) -> Answer:
    """Draw new samples from a variational model's prior."""
    count, seed = reply.bound_rows(options.count), drawn_seed(options.seed)
    samples = await model.generate(count, seed, options.temperature, options.label)
    return await reply.array(samples, seed=seed, columns=options.columns)


@task("interpolate", takes="samples", gives="samples", answer=Samples)
async def interpolate(model: ServedModel, options: InterpolateOptions, samples: Array, reply: Reply) -> Answer:
    """Decode the straight line between the latent vectors of two samples; as a PNG, from left to right."""
    steps = reply.bound_rows(options.steps)
    line = await model.interpolate(samples, steps, options.label)
    return await reply.array(line, columns=options.columns or steps)
