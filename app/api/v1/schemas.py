"""The shapes of JSON bodies and answers, for the OpenAPI document and for generated clients."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema, create_model

from app.arrays import ARRAYS
from app.arrays import Row as RowKind
from app.manifest import Manifest
from app.tasks import TASKS, Task

Row = list[float]
Image = list[list[list[float]]]
"""[channel][row][column]"""
Record = dict[str, float | str]
"""A row by feature name; a column of text has its text."""
RecordIn = dict[str, float | str | bool]
"""A row in a request. A missing number is null, which a generator of clients cannot type: the schema lacks it."""
Volume = list[Image]
"""[channel][depth][row][column]"""
Plane = list[list[float]]
"""[row][column], of an image with one channel"""
EncodedImage = Annotated[str, Field(description="A PNG, JPEG or WebP image, as base64 or as a data URL.")]
Item = TypeVar("Item")
NonEmpty = Annotated[list[Item], Field(min_length=1)]
FILE = WithJsonSchema({"type": "string", "format": "binary"})

ANSWER_NAMES = {"reconstruct": "Reconstructions", "denoise": "Denoised", "score": "Scores"}
"""Names of answers with further arrays; by default `<Task>Answer`."""


class InputSamples(
    RootModel[NonEmpty[list[float | None]] | NonEmpty[Plane] | NonEmpty[Image] | NonEmpty[Volume] | NonEmpty[RecordIn]]
):
    """Rows of numbers; images as [row][column] or [channel][row][column]; volumes; or rows by feature name."""


class OutputSamples(RootModel[NonEmpty[Row] | NonEmpty[Image] | NonEmpty[Volume] | NonEmpty[Record]]):
    """Rows of numbers; images as [channel][row][column]; volumes; or rows by feature name."""


ROWS: dict[RowKind, Any] = {
    "sample": OutputSamples,
    "latent vector": list[Row],
    "number": list[float],
    "truth value": list[bool],
}
"""The JSON of an array, by the kind of its rows."""


class Body(BaseModel):
    """A request's body, which has one member."""

    model_config = ConfigDict(extra="forbid")


class SamplesIn(Body):
    """
    Samples, all nested as the model's input shape, without the channel axis if there is one channel, or flat.

    Of models whose features have names, also objects by feature name, with the text of columns that are one-hot. Models
    with the member `fill` take null for a missing number.
    """

    samples: InputSamples


class LatentsIn(Body):
    """Latent vectors."""

    latents: NonEmpty[Row]


class ImagesIn(Body):
    """Samples, each an image of any size and colour, for models of images."""

    images: NonEmpty[EncodedImage]


class SamplesBody(RootModel[SamplesIn | ImagesIn]):
    """Samples as numbers, or as images in base64."""


class ImageFiles(BaseModel):
    """The files of a form: samples, each a PNG, JPEG or WebP image. The field may have any other name."""

    images: NonEmpty[Annotated[bytes, FILE]]


class Answer(BaseModel):
    """The model and version that every answer with arrays names."""

    model: str
    version: int


class VersionProblem(BaseModel):
    """A version in the repository that cannot be loaded."""

    name: str
    version: int
    reason: str


class ModelList(BaseModel):
    """The manifests of served versions, and the versions that cannot be loaded."""

    models: list[Manifest]
    problems: list[VersionProblem] = Field(
        default=[],
        exclude_if=lambda problems: not problems,
        description="Versions that cannot be loaded; absent if there are none. Those served before still are.",
    )


class UniformityTest(BaseModel):
    """The Kolmogorov-Smirnov test of the window's scores and the calibration's."""

    statistic: float = Field(description="The largest distance between their distribution functions.")
    p_value: float


class ShiftTest(BaseModel):
    """The rank-sum test of the window's scores and the calibration's."""

    probability: float = Field(
        description="The probability that a row of the window is stranger than a calibration row; expected: about 0.5."
    )
    p_value: float


class ExcessTest(BaseModel):
    """The test of the number of small p-values, which a few anomalies among many other rows lead to."""

    level: float = Field(description="The p-value up to which rows were counted, where the excess is least likely.")
    share: float = Field(description="The share of the window's rows with such p-values; about `level` is expected.")
    p_value: float = Field(description="The probability of as many, times the number of levels that were looked at.")


class OneLatentTest(BaseModel):
    """The Kolmogorov-Smirnov test of one latent of the window's rows and of the calibration rows."""

    latent: int = Field(description="The index of the latent.")
    statistic: float = Field(description="The largest distance between their distribution functions.")
    p_value: float = Field(description="Not corrected for the number of latents.")


class LatentsTest(BaseModel):
    """The tests of all latents."""

    rows: int = Field(description="Rows in the window of latents: one in four of the scored rows.")
    p_value: float = Field(description="The smallest p-value of the tests, times their number.")
    tests: list[OneLatentTest]


class DriftReport(Answer):
    """A comparison of the last scored rows with the calibration rows, by their p-values and by their latents."""

    window: int = Field(description="Rows of a full window: the last ones that were scored.")
    rows: int = Field(description="Rows in the window now.")
    calibration_rows: int = Field(description="The rows that they are compared with.")
    uniformity: UniformityTest | None = Field(None, description="Absent until the window has 100 rows.")
    shift: ShiftTest | None = Field(None, description="Absent until the window has 100 rows.")
    excess: ExcessTest | None = Field(None, description="Absent until the window has 100 rows.")
    p_value: float | None = Field(
        None, description="The smallest p-value of the tests, times three; absent until the window has 100 rows."
    )
    latents: LatentsTest | None = Field(
        None,
        description="Apart from `p_value`, since latents may change while no sample is stranger than before. Absent "
        "until its window has 100 rows, and for scorers that were fitted before there was this test.",
    )
    alpha: float = Field(description="A p-value below it is drift.")
    drifting: bool = Field(description="True if the p-value is below alpha.")


class Health(BaseModel):
    """The result of a probe."""

    status: str


def answer_name(name: str, task: Task) -> str:
    """Return the name of a task's answer in the document; tasks without further arrays share one."""
    if not task.extras:
        return task.gives.capitalize()
    return ANSWER_NAMES.get(name, f"{name.capitalize()}Answer")


def answer_models() -> dict[str, type[BaseModel]]:
    """Return the model of each kind of answer, by its name."""
    return {answer_name(name, task): _answer_model(answer_name(name, task), task) for name, task in TASKS.items()}


def _answer_model(name: str, task: Task) -> type[BaseModel]:
    seed = (int | None, Field(None, description="The seed of the draws, which repeats them; only if there were draws."))
    fields: dict[str, Any] = {task.gives: (ROWS[ARRAYS[task.gives].row], ...), "seed": seed}
    for extra in task.extras:
        kind = ROWS[ARRAYS[extra].row]
        description = ARRAYS[extra].description
        optional = extra in task.echoes or extra in task.optional
        fields[extra] = (
            (kind | None, Field(None, description=description)) if optional else (kind, Field(description=description))
        )
    return create_model(name, __base__=Answer, __doc__=ARRAYS[task.gives].description, **fields)
