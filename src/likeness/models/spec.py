"""What a network is for, and what goes in and comes out: all that the rest of the program has to know about it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["FACE_PURPOSES", "PURPOSES", "Authors", "Purpose", "Spec"]

Purpose = Literal["restore", "enlarge", "colourise", "inpaint"]

PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
"""Every one; ``purpose.NAME`` in the catalogues is what a network of it is called in a sentence."""

FACE_PURPOSES: tuple[Purpose, ...] = ("restore", "colourise", "inpaint")
"""What is done to aligned faces, one by one; `likeness.restore.tasks` says how. Colouring and inpainting are done to whole
photographs as well, by networks for those (`Spec.for_faces`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """How the authors of a network run it in their own demo, and so how the preset ``plain`` does.

    Attributes:
        template: how faces lie in its input there (`likeness.faces.align.TEMPLATES`).
        strength: the share of the answer that is laid over the photograph there, in [0, 1].
        side: to which they bring a whole photograph, both sides, px; None where it keeps its own.
    """

    template: str = "ffhq"
    strength: float = 1.0
    side: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One network, described.

    Attributes:
        architecture: name of its `likeness.models.architecture.Architecture`.
        purpose: what it does to an image.
        config: the architecture's own numbers, a frozen dataclass.
        title: what to call it in a sentence, with its article: "a GPEN network of size 512".
        size: side of the square images that it takes, px; None if it takes any width and height.
        scale: sides of the answer by sides of the input.
        value_range: of the samples that go in and, about, of those that come out; RGB.
        template: how faces lie in its input (`likeness.faces.align`), or None if it is not for faces.
        precision: the coarsest arithmetic that keeps its answers; a runtime left to choose goes no lower.
        licence: of the weights, or empty where the file does not say.
        authors: how its authors run it.
        inputs: samples that go in for each pixel; 3 are RGB, a 4th is a mask, 1 where the image holds nothing.
        outputs: samples that come out for each; 3 are RGB, 2 are a* and b* of CIELAB, whatever ``value_range`` says.
        multiple: what the sides of its images must be multiples of.
        features: whether heavily blurred faces are drawn anew in its answers, by networks that learnt that from answers of
            its kind (`likeness.restore.features`).
    """

    architecture: str
    purpose: Purpose
    config: DataclassInstance
    title: str
    size: int | None
    scale: int
    value_range: tuple[float, float]
    template: str | None
    precision: Literal["f32", "bf16"]
    licence: str = ""
    authors: Authors = Authors()
    inputs: int = 3
    outputs: int = 3
    multiple: int = 1
    features: bool = False

    @property
    def for_faces(self) -> bool:
        """Whether it takes aligned faces; else it takes whole images."""
        return self.template is not None

    @staticmethod
    def of_enlarger(architecture: str, config: DataclassInstance, *, title: str, scale: int) -> Spec:
        """That of a network which enlarges images of any width and height, with samples in [0, 1]."""
        return Spec(
            architecture=architecture,
            purpose="enlarge",
            config=config,
            title=title,
            size=None,
            scale=scale,
            value_range=(0.0, 1.0),
            template=None,
            precision="bf16",
        )

    @property
    def side(self) -> int:
        """The size of a network that has one.

        Raises:
            ValueError: if it takes any width and height.
        """
        if self.size is None:
            raise ValueError(f"{self.title} takes images of any size")
        return self.size

    def with_fidelity(self, fidelity: float) -> Spec | None:
        """The same network with its own weight between fidelity and quality set, in [0, 1]; None if it has none."""
        if all(field.name != "fidelity" for field in fields(self.config)):
            return None
        return replace(self, config=replace(self.config, fidelity=fidelity))

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers of ``config`` by their names, for reports; its switches are left out."""
        values = {field.name: getattr(self.config, field.name) for field in fields(self.config)}
        return {name: value for name, value in values.items() if not isinstance(value, bool)}
