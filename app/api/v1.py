"""/v1, for people and programs that speak HTTP. The body is the data, the query is the options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.api.bodies import LatentsBody, NoBody, SamplesBody
from app.api.options import DecodeOptions, DenoiseOptions, EncodeOptions, GenerateOptions, InterpolateOptions
from app.api.replies import LatentsReply, SamplesReply, drawn_seed
from app.api.schemas import Answer, Denoised, Latents, ModelList, Reconstructions, Samples
from app.api.service import CurrentService, ServedModel, version_number
from app.errors import UnsupportedTask
from app.manifest import Manifest, Task

router = APIRouter(prefix="/v1")

Endpoint = Callable[..., Any]


def able_to(task: Task) -> Any:
    """A dependency that refuses models which were not made for the task, and names those that were."""

    def check(model: ServedModel, service: CurrentService) -> None:
        try:
            model.require(task)
        except UnsupportedTask as error:
            able = [other.manifest.name for other in service.repository.able_to(task)]
            raise UnsupportedTask(f"{error.detail}; models that can: {', '.join(able) or 'none'}") from None

    return Depends(check)


def summary(endpoint: Endpoint) -> str:
    """The first sentence of an endpoint's docstring."""
    return (endpoint.__doc__ or "").strip().partition("\n")[0].rstrip(".")


def task_route(task: Task, answer: type[Answer], gives: list[str], takes: list[str]) -> Callable[[Endpoint], Endpoint]:
    """
    Register an endpoint twice: for a model's default version, and for one by its number.

    `answer` is the shape of the JSON answer; `gives` and `takes` name what `app.api.openapi` documents: schemas for
    JSON and media types for the rest.
    """
    documented = {"x-hourglass": {"task": task, "gives": gives, "takes": takes}}

    def register(endpoint: Endpoint) -> Endpoint:
        common: dict[str, Any] = {
            "responses": {200: {"model": answer, "description": "The arrays, in the format that was accepted."}},
            "response_class": Response,
            "openapi_extra": documented,
            "summary": summary(endpoint),
        }
        able = able_to(task)
        router.post(f"/models/{{model}}/{task}", dependencies=[able], operation_id=task, tags=["tasks"], **common)(
            endpoint
        )
        router.post(
            f"/models/{{model}}/versions/{{version}}/{task}",
            dependencies=[Depends(version_number), able],
            operation_id=f"{task}_version",
            tags=["tasks of one version"],
            **common,
        )(endpoint)
        return endpoint

    return register


@router.get("/models", operation_id="list_models", tags=["models"], summary="The manifest of every model")
async def list_models(service: CurrentService) -> ModelList:
    """The manifest of every model, each in its default version."""
    return ModelList(models=[model.manifest for model in service.repository])


@router.get("/models/{model}", operation_id="get_model", tags=["models"], summary="The manifest of a model")
async def get_model(model: ServedModel) -> Manifest:
    """The manifest of a model's default version, the largest."""
    return model.manifest


@router.get(
    "/models/{model}/versions",
    operation_id="list_versions",
    tags=["models"],
    summary="The manifests of all versions of a model",
)
async def list_versions(model: ServedModel, service: CurrentService) -> ModelList:
    """The manifests of all versions of a model that are served."""
    versions = service.repository.versions(model.manifest.name)
    return ModelList(models=[version.manifest for version in versions.values()])


@router.get(
    "/models/{model}/versions/{version}",
    operation_id="get_version",
    tags=["models"],
    summary="The manifest of one version of a model",
    dependencies=[Depends(version_number)],
)
async def get_version(model: ServedModel) -> Manifest:
    """The manifest of one version of a model."""
    return model.manifest


@task_route("encode", Latents, gives=[], takes=["SamplesIn", "image"])
async def encode(
    model: ServedModel,
    options: Annotated[EncodeOptions, Query()],
    reply: LatentsReply,
    service: CurrentService,
    samples: SamplesBody,
) -> Response:
    """
    Map samples to latent vectors: the posterior mean, of a variational model.

    With `sample=true` each vector is a draw from the sample's posterior instead.
    """
    if not options.sample:
        return await reply.latents(await service.runner.run(len(samples), lambda: model.encode(samples)))
    seed = drawn_seed(options.seed)
    latents = await service.runner.run(len(samples), lambda: model.sample_posterior(samples, seed))
    return await reply.latents(latents, seed=seed)


@task_route("decode", Samples, gives=["image"], takes=["LatentsIn"])
async def decode(
    model: ServedModel,
    options: Annotated[DecodeOptions, Query()],
    reply: SamplesReply,
    service: CurrentService,
    latents: LatentsBody,
) -> Response:
    """Map latent vectors to samples."""
    return await reply.samples(await service.runner.run(len(latents), lambda: model.decode(latents, options.label)))


@task_route("reconstruct", Reconstructions, gives=["image"], takes=["SamplesIn", "image"])
async def reconstruct(
    model: ServedModel,
    options: Annotated[DecodeOptions, Query()],
    reply: SamplesReply,
    service: CurrentService,
    samples: SamplesBody,
) -> Response:
    """Encode and decode samples, and tell each one's mean squared error."""
    result = await service.runner.run(len(samples), lambda: model.reconstruct(samples, options.label))
    return await reply.samples(result.samples, errors=result.errors)


@task_route("denoise", Denoised, gives=["image"], takes=["SamplesIn", "image"])
async def denoise(
    model: ServedModel,
    options: Annotated[DenoiseOptions, Query()],
    reply: SamplesReply,
    service: CurrentService,
    samples: SamplesBody,
) -> Response:
    """
    Restore clean samples from noisy ones.

    With `noise`, the samples are corrupted first, and a JSON answer holds what they had become under `noisy`.
    """
    label = options.label
    if options.noise is None:
        return await reply.samples(await service.runner.run(len(samples), lambda: model.denoise(samples, label)))
    seed = drawn_seed(options.seed)
    amount = 0.5 if options.amount is None else options.amount
    noise = options.noise
    noisy, denoised = await service.runner.run(
        len(samples), lambda: model.corrupt_and_denoise(samples, noise, amount, seed, label)
    )
    return await reply.samples(denoised, seed=seed, noisy=noisy)


@task_route("generate", Samples, gives=["image"], takes=[])
async def generate(
    model: ServedModel,
    options: Annotated[GenerateOptions, Query()],
    reply: SamplesReply,
    service: CurrentService,
    _: Annotated[None, NoBody],
) -> Response:
    """Draw new samples from a variational model's prior."""
    count, seed = service.bound_rows(options.count), drawn_seed(options.seed)
    samples = await service.runner.run(count, lambda: model.generate(count, seed, options.temperature, options.label))
    return await reply.samples(samples, seed=seed)


@task_route("interpolate", Samples, gives=["image"], takes=["SamplesIn"])
async def interpolate(
    model: ServedModel,
    options: Annotated[InterpolateOptions, Query()],
    reply: SamplesReply,
    service: CurrentService,
    samples: SamplesBody,
) -> Response:
    """Decode the straight line between the latent vectors of two samples; as a PNG, from left to right."""
    steps = service.bound_rows(options.steps)
    along = await service.runner.run(steps, lambda: model.interpolate(samples, steps, options.label))
    return await reply.samples(along, columns=steps)
