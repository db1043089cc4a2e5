"""The routes of /v1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from starlette.routing import Route

from app.api.current import CurrentState
from app.api.state import State
from app.api.v1.endpoint import TaskEndpoint
from app.api.v1.schemas import (
    DriftReport,
    ExcessTest,
    LatentsTest,
    ModelList,
    OneLatentTest,
    ShiftTest,
    UniformityTest,
    VersionProblem,
)
from app.engine.catalog import Catalog
from app.engine.drift.latents import LatentDrift
from app.engine.drift.uniformity import DEFAULT_ALPHA
from app.engine.served import ServedModel
from app.manifest import Manifest

ModelName = Annotated[str, Path(description="Name of a model, as GET /v1/models lists them.")]
VersionNumber = Annotated[str, Path(description="A version of the model: a whole number from 1.")]
Alpha = Annotated[float, Query(gt=0, lt=1, description="The level: of clean windows, at most this share is drift.")]

router = APIRouter(prefix="/v1", tags=["models"])


def default_version(state: CurrentState, model: ModelName) -> ServedModel:
    """Return the default version of the model in the path."""
    return state.catalog.get(model)


def named_version(state: CurrentState, model: ModelName, version: VersionNumber) -> ServedModel:
    """Return the version in the path."""
    return state.catalog.get(model, version)


def problems(catalog: Catalog) -> list[VersionProblem]:
    """Return the versions that cannot be loaded."""
    return [VersionProblem(**problem._asdict()) for problem in catalog.problems]


DefaultVersion = Annotated[ServedModel, Depends(default_version)]
NamedVersion = Annotated[ServedModel, Depends(named_version)]


@router.get("/models", operation_id="list_models", summary="List models")
async def list_models(state: CurrentState) -> ModelList:
    """Return the manifest of every model's default version, and the versions that cannot be loaded."""
    catalog = state.catalog
    return ModelList(models=[model.manifest for model in catalog], problems=problems(catalog))


@router.get("/models/{model}", operation_id="get_model", summary="Get a model")
async def get_model(model: DefaultVersion) -> Manifest:
    """Return the manifest of a model's default version, the largest."""
    return model.manifest


@router.get("/models/{model}/versions", operation_id="list_versions", summary="List versions")
async def list_versions(model: DefaultVersion, state: CurrentState) -> ModelList:
    """Return the manifests of all served versions of a model, and its versions that cannot be loaded."""
    catalog, name = state.catalog, model.manifest.name
    served = [version.manifest for version in catalog.versions(name).values()]
    return ModelList(models=served, problems=[problem for problem in problems(catalog) if problem.name == name])


@router.get("/models/{model}/versions/{version}", operation_id="get_version", summary="Get a version")
async def get_version(model: NamedVersion) -> Manifest:
    """Return the manifest of one version of a model."""
    return model.manifest


@router.get(
    "/models/{model}/drift", operation_id="get_drift", summary="Get the drift", response_model_exclude_none=True
)
def get_drift(model: DefaultVersion, state: CurrentState, alpha: Alpha = DEFAULT_ALPHA) -> DriftReport:
    """
    Compare the last scored rows of a model's default version with its calibration rows.

    Every scored row counts, on all workers, through `/v1`, `/v2` and gRPC. Only counts of p-values and of latents are
    kept.
    """
    return drift_report(model.manifest, state, alpha)


@router.get(
    "/models/{model}/versions/{version}/drift",
    operation_id="get_drift_version",
    summary="Get the drift",
    response_model_exclude_none=True,
)
def get_drift_version(model: NamedVersion, state: CurrentState, alpha: Alpha = DEFAULT_ALPHA) -> DriftReport:
    """Compare the last scored rows of one version of a model with its calibration rows."""
    return drift_report(model.manifest, state, alpha)


def drift_report(manifest: Manifest, state: State, alpha: float) -> DriftReport:
    """Return the report on the drift of a version. Raises Refused or UnsupportedTask."""
    rows, drift, latents = state.drift.measure(manifest)
    assert manifest.scorer  # or it would be an unsupported task
    return DriftReport(
        model=manifest.name,
        version=manifest.version,
        window=state.drift.rows,
        rows=rows,
        calibration_rows=manifest.scorer.calibration_rows,
        uniformity=UniformityTest(**drift.uniformity._asdict()) if drift else None,
        shift=ShiftTest(**drift.shift._asdict()) if drift else None,
        excess=ExcessTest(**drift.excess._asdict()) if drift else None,
        p_value=drift.p_value if drift else None,
        latents=latents_test(latents) if latents else None,
        alpha=alpha,
        drifting=drift is not None and drift.p_value < alpha,
    )


def latents_test(drift: LatentDrift) -> LatentsTest:
    """Return the tests of the latents for a report."""
    tests = [OneLatentTest(**test._asdict()) for test in drift.tests]
    return LatentsTest(rows=drift.rows, p_value=drift.p_value, tests=tests)


def install(app: FastAPI, endpoints: Mapping[str, TaskEndpoint]) -> None:
    """Add the routes of /v1 to the application: each task has one for the default version and one for any version."""
    app.include_router(router)
    for endpoint in endpoints.values():
        for path in endpoint.routes:
            app.router.routes.append(Route(path, endpoint, methods=["POST"]))
