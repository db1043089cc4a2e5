"""The sections of a configuration, except the objective."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from training.config.tables import TableOptions

Positive = Annotated[int, Field(ge=1)]
NonNegative = Annotated[float, Field(ge=0.0)]
Proportion = Annotated[float, Field(ge=0.0, le=1.0)]
ImageSide = Annotated[int, Field(ge=8, le=256)]
NoiseKind = Literal["gaussian", "masking", "salt-and-pepper"]
Auto = Literal["auto"]
"""The value of an option that the data decide; `training.choices` replaces it before a run begins."""
T = TypeVar("T")


MAX_SPAN = 2.0**125
"""The largest distance between two numbers of a column; noise is added to it, and float32 ends at 2^128."""


def settled(value: T | Auto) -> T:
    """Return the value of an option that was decided already."""
    assert value != "auto", "training.choices.choose.settle must come first"
    return value


class Section(BaseModel):
    """A frozen part of a configuration that refuses unknown options."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(TableOptions, Section):
    """The data set, how its rows are read, and which of them are held out."""

    name: Literal["mnist", "digits"] | None = None
    """A data set with a name: `digits` comes with scikit-learn; `mnist` is downloaded if the data folder lacks it."""
    path: str | None = None
    """
    A .npy, .npz, .csv, .tsv, .txt, .parquet or IDX file, or a folder of images; text may be gzipped. A relative path is
    looked up from the current folder, then in the data folder.
    """
    kind: Literal["image", "vector"] | None = None
    """
    Null: tables and matrices are vectors; stacks of three or four axes and folders are images. `vector` flattens
    images. Of four axes, the second is the channels if its size is 1 or 3, otherwise the last.
    """
    samples: str | None = None
    """.npz only: the member that holds the samples. Null: the only member, or the one called samples or x."""
    label: str | None = None
    """
    The labels: a column of a table, a member of a .npz file, or an IDX file beside the samples. Training does not see
    them, except the decoder of a conditional model. The labels of a folder of images are its sub-folders.
    """
    image_size: tuple[ImageSide, ImageSide] | None = None
    """
    Height and width that the images of a folder are resized to. Null: their own size, if it is the same for all and
    each side has 8 to 256 pixels; otherwise a default of at most 64 pixels a side, which the findings name.
    """
    colour: Literal["grey", "rgb"] | None = None
    """The colours that the images of a folder are converted to. Null: grey if all are stored as grey, otherwise RGB."""
    background: str | None = None
    """
    Folders of images: the colour under transparent pixels, such as `white` or `#ffcc00`. Null: black. The server uses
    it, too.
    """
    bits: Literal[8, 16] | None = None
    """Folders of images: bits per channel that are read. Null: 16 if a file has as many, otherwise 8."""
    parts: Literal["folders", "none"] = "folders"
    """
    Folders of images: with `folders`, folders called train, val or test (or the like) are the parts of that name, and
    so are files if the names of all state one, such as train_1.png; with `none`, folders are classes, and all images
    are split at random.
    """
    value_range: tuple[float, float] | None = None
    """
    The least and the largest number that a sample can have, as stored; any other is an error. Null: vectors have no
    range. Of images, 8 bits stand for 0 to 1; other numbers have the range 0 to 1 if all lie in it, otherwise the range
    of the training part, to which the other parts are clipped.
    """
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] | Auto = "auto"
    """
    Share of the rows, without the test part, for early stopping and for the choice of the checkpoint. `auto`: 5 % of
    many rows, more of few, so that there are 200; at most a fifth.
    """
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of all rows that the report measures. `mnist` and `digits` have their own test part."""
    test_path: str | None = None
    """A file or folder, read like `path`, whose rows are the test part. Null: the share `test`, or the data's own."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.name and self.path:
            raise ValueError("name and path exclude each other")
        if self.value_range and self.value_range[0] >= self.value_range[1]:
            raise ValueError("value_range: the first number must be below the second")
        if self.value_range and self.value_range[1] - self.value_range[0] > MAX_SPAN:
            raise ValueError(f"value_range: the numbers must be at most {MAX_SPAN:g} apart, or float32 overflows")
        return self


class PreprocessingConfig(Section):
    """
    The steps between a sample and the network: log1p, then clipping, then scaling.

    They are fitted on the training part only, and are part of the exported graphs.
    """

    log1p: bool | tuple[str, ...] = False
    """log(1 + value), for counts and amounts: true for all columns, or the names of some."""
    clip_quantiles: tuple[Proportion, Proportion] | None = None
    """Values beyond these two quantiles of their column's training part are clipped to them. Null: no clipping."""
    scaling: Literal["auto", "none", "range", "standardise"] = "auto"
    """
    `range` maps the value range to [0, 1]; without a value range, it maps each column's own range. `standardise` gives
    each column of a table, or each channel of an image, mean 0 and variance 1. `auto` chooses by the likelihood.
    """

    @model_validator(mode="after")
    def _quantiles_in_order(self) -> Self:
        if self.clip_quantiles and self.clip_quantiles[0] >= self.clip_quantiles[1]:
            raise ValueError("clip_quantiles: the first number must be below the second")
        return self


class NetworkConfig(Section):
    """The layers of the encoder; the decoder mirrors them."""

    architecture: Literal["conv", "dense"]
    """Strided convolutions and a dense bottleneck, or fully connected layers."""
    latent_dim: Positive | Auto
    """Numbers in a latent vector. `auto`: as many as principal components need for 95 % of the variance, or a limit."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)] | Auto
    """Channels (conv) or units (dense) of each layer, outermost first. `auto`: by the size of the samples."""
    residual_blocks: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Conv only: residual blocks after each downsampling. Empty: none, or those that go with `widths: auto`."""
    hidden: Positive = 256
    """Conv only: units between the last feature map and the latents."""
    normalisation: Literal["group", "none"] = "none"
    """Conv only: group normalisation of the feature maps."""
    shortcut: bool = True
    """
    The layers correct a linear map that begins at the principal axes, so that training begins at PCA; that of images
    stays there. If false, the layers do everything.
    """

    stored_bits: Literal[8, 16] = 16
    """
    Bits in the exported files of each weight of large tensors. With 8, the files have half the size, and errors of
    reconstruction grow by thousandths.
    """

    @model_validator(mode="after")
    def _blocks_fit_the_widths(self) -> Self:
        if self.residual_blocks and self.architecture != "conv":
            raise ValueError("residual_blocks belong to the architecture 'conv'")
        if self.residual_blocks and self.widths == "auto":
            raise ValueError("residual_blocks go with widths that are given, not with widths: auto")
        if self.residual_blocks and len(self.residual_blocks) != len(self.widths):
            raise ValueError(f"residual_blocks: expected {len(self.widths)}, one per width")
        return self


class AugmentationConfig(Section):
    """Changed copies of images that training sees in place of the images themselves. Vectors have none."""

    shift: Annotated[int, Field(ge=0, le=32)] | Auto = "auto"
    """
    Pixels by which an image is moved at most, along each axis; its edges are repeated. `auto`: the shift with which
    principal components reconstruct held-out images best.
    """
    flip: bool | Auto = "auto"
    """If true, half of the images are mirrored left to right. `auto`: if it helps as above."""

    @property
    def is_active(self) -> bool:
        """True if copies differ from the images."""
        return self.flip is True or (self.shift != "auto" and self.shift > 0)


class OptimisationConfig(Section):
    """AdamW, its schedule, and the rules for stopping."""

    effort: Literal["quick", "normal", "thorough"] = "normal"
    """`quick`: a fifth of the epochs, `thorough`: four times as many. `--quick` and `--thorough`."""
    epochs: Positive | Auto = "auto"
    """Training epochs; if there are several stages, of the last one. `auto`: by the number of rows."""
    passes: Positive | Auto = 1
    """Passes over the training rows in an epoch. `auto`: as many as give 50 steps, so that few rows are no burden."""
    batch_size: Positive | Auto = "auto"
    """Rows per step; the last batch of an epoch may be smaller. `auto`: 16 to 256, by the rows and the architecture."""
    learning_rate: Annotated[float, Field(gt=0)] | Auto = "auto"
    """The largest value of the schedule. `auto`: by the batch size and the architecture."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Decoupled from the gradient, as in AdamW."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """The learning rate after a linear warm-up over the first twentieth of the steps."""
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the gradient, of a loss in nats per sample. Null: no clipping."""
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    """Decay of the moving average of the weights, which is validated and exported. 0: the weights themselves."""
    patience: Positive | Auto = "auto"
    """Validations without an improvement before training stops. `auto`: by the number of epochs."""
    folds: Annotated[int, Field(ge=0, le=20)] | Auto = "auto"
    """
    Parts of the training and validation rows that are held out once each, to choose the number of epochs for which all
    of these rows train the exported network. 0: the validation part chooses, and the training part trains. `auto`: 5
    for autoencoders of vectors, variational or not, with at most 1000 rows.
    """
    precision: Literal["32-true", "bf16-mixed"] | Auto = "32-true"
    """
    bf16-mixed: products in bfloat16, weights and losses in float32. `auto`: that for convolutional networks, where the
    processor has instructions for it.
    """
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Decides the weights, the split, the order of the rows and all noise."""

    @field_validator("folds")
    @classmethod
    def _several_folds(cls, folds: int | Auto) -> int | Auto:
        if folds == 1:
            raise ValueError("one part leaves no rows to train on; expected 0, or 2 to 20")
        return folds


class EvaluationConfig(Section):
    """Measurements that only some families have."""

    importance_samples: Annotated[int, Field(ge=0)] = 0
    """Variational models: samples per test row in the estimate of log p(x). 0: no estimate."""
    noise_kinds: tuple[NoiseKind, ...] = ("gaussian",)
    """Denoising models: the noise on the test samples."""
    noise_amounts: tuple[NonNegative, ...] = (0.4, 0.5)
    """Amounts of each kind of noise, in the units of the service's option `amount`."""
