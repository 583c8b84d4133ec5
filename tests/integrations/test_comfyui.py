"""The ComfyUI nodes on real torch tensors, as ComfyUI calls them; where ComfyUI is installed, run by its executor."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from likeness.errors import ArgumentError, CheckpointError, ConfigError, ControlError, NoFaceError
from likeness.imaging.image import Image
from likeness.integrations import comfyui
from likeness.integrations.comfyui.host import COMFYUIS, chosen_device
from likeness.integrations.comfyui.nodes import (
    NODE_CLASS_MAPPINGS,
    NODE_DISPLAY_NAME_MAPPINGS,
    FaceEvidence,
    LoadRestorer,
    MakeReferences,
    Preflight,
    Preset,
    Regions,
    RestoreFaces,
    SetControls,
)
from likeness.integrations.comfyui.tensors import images_of, masks_of, picture_batch
from likeness.restore.controls import Controls
from likeness.restore.pipeline import Restorer

torch = pytest.importorskip("torch")

# Where ComfyUI is installed it says so of a machine without a GPU, unless it was started with --cpu.
pytestmark = pytest.mark.filterwarnings("default:torch.cuda.current_device:UserWarning")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(comfyui.__file__).parent
_SPEC = importlib.util.spec_from_file_location("comfyui_workflows", ROOT / "tools" / "comfyui_workflows.py")
assert _SPEC is not None
assert _SPEC.loader is not None
workflows = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = workflows
_SPEC.loader.exec_module(workflows)

ONE_LEVEL = 1 / 255


@pytest.fixture(scope="module")
def restorer(tiny_model: Path) -> Restorer:
    return Restorer(tiny_model, device="cpu", precision="f32")


@pytest.fixture(scope="module")
def batch(astronaut: Image) -> Any:
    """Two photographs of one face: as it is, and mirrored."""
    pixels = np.stack([astronaut.pixels, astronaut.pixels[:, ::-1]])
    return torch.from_numpy(pixels.copy())


def usual(node: Any, **given: Any) -> dict[str, Any]:
    """What the widgets of a node hold as they come, with what is set over it."""
    declared = node.INPUT_TYPES()["required"]
    values = {
        name: told.get("default", kind[0] if isinstance(kind, list) else None)
        for name, (kind, told) in declared.items()
        if isinstance(kind, list) or kind in ("STRING", "INT", "FLOAT", "BOOLEAN")
    }
    return {**values, **given}


def run(node: type, **values: Any) -> Any:
    return getattr(node(), node.FUNCTION)(**usual(node, **values))  # type: ignore[attr-defined]


def test_every_node_is_what_comfyui_asks_of_one() -> None:
    assert NODE_CLASS_MAPPINGS.keys() == NODE_DISPLAY_NAME_MAPPINGS.keys()
    for node in NODE_CLASS_MAPPINGS.values():
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES)
        assert callable(getattr(node, node.FUNCTION))
        assert node.CATEGORY == "Likeness"
        declared = node.INPUT_TYPES()
        assert set(declared) <= {"required", "optional"}
        for kind, told in {**declared["required"], **declared.get("optional", {})}.values():
            if isinstance(kind, list):
                assert told.get("default", kind[0]) in kind
            elif kind in ("INT", "FLOAT"):
                assert told["min"] <= told["default"] <= told["max"]
                assert type(told["default"]) is (int if kind == "INT" else float)
            assert json.dumps(told)


@pytest.mark.parametrize("name", ["/comfyui/custom_nodes/likeness", "likeness"])
def test_the_folder_loads_under_any_name_as_comfyui_does_it(name: str) -> None:
    """Under its path, and as older ComfyUIs do it, under the folder's name, which is the library's as well."""
    script = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location(sys.argv[1], sys.argv[2])
module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from likeness.integrations.comfyui.nodes import NODE_CLASS_MAPPINGS
import likeness
assert module.NODE_CLASS_MAPPINGS is NODE_CLASS_MAPPINGS
assert likeness.Restorer
"""
    subprocess.run([sys.executable, "-c", script, name, str(FOLDER / "__init__.py")], check=True)


def test_widgets_as_they_come_are_the_defaults(restorer: Restorer, batch: Any, astronaut: Image) -> None:
    (controls,) = run(SetControls)
    assert controls.controls() == Controls()
    pictures, mask, report = run(RestoreFaces, restorer=restorer, image=batch, controls=controls)
    expected = restorer.restore(astronaut)
    assert pictures.shape == batch.shape
    assert pictures.dtype == torch.float32
    np.testing.assert_array_equal(pictures[0].numpy(), expected.image.pixels)
    np.testing.assert_array_equal(mask[0].numpy(), expected.area())
    # Outside the mask nothing is changed, but for hundredths of a level where interpolation rings; inside it something is.
    changed = (pictures - batch).abs().amax(-1)
    assert float(changed[mask == 0].max()) < 0.1 * ONE_LEVEL
    assert float(changed[mask > 0.9].max()) > ONE_LEVEL
    assert [one["status"] for one in json.loads(report)] == ["restored", "restored"]


def test_pictures_keep_their_order(restorer: Restorer, batch: Any) -> None:
    together, _, _ = run(RestoreFaces, restorer=restorer, image=batch)
    for number in range(2):
        alone, _, _ = run(RestoreFaces, restorer=restorer, image=batch[number : number + 1])
        np.testing.assert_array_equal(together[number].numpy(), alone[0].numpy())


def test_preset_controls_and_regions_come_to_the_controls_that_they_say() -> None:
    (preset,) = run(Preset, preset="film-scan")
    assert preset.controls() == Controls.preset("film-scan")
    (own,) = run(SetControls, latent_step_decay=0.05, keep_grain=True, refine=2)
    assert own.controls() == Controls(latent_step_decay=0.05, keep_grain=True, refine=2)
    (weighted,) = run(Regions, controls=own, hair=0.5)
    assert weighted.controls() == own.controls().with_weights({"hair": 0.5})
    with pytest.raises((ConfigError, ControlError), match="strength must be"):
        run(SetControls, strength=3.0)


def test_a_batch_enlarged_automatically_has_one_size(restorer: Restorer, batch: Any) -> None:
    # In the second picture the face is so small that it alone would be enlarged more.
    small = torch.zeros_like(batch[1])
    small[64:192, 64:192] = torch.nn.functional.avg_pool2d(batch[1].permute(2, 0, 1), 2).permute(1, 2, 0)
    pictures, mask, report = run(
        RestoreFaces, restorer=restorer, image=torch.stack([batch[0], small]), upscale="auto", background="lanczos"
    )
    first, second = json.loads(report)
    assert first["upscale"] == second["upscale"] > 1
    assert pictures.shape[1:3] == mask.shape[1:] == (first["result_height"], first["result_width"])


def test_a_picture_without_a_face_is_told_or_passed_on(restorer: Restorer, batch: Any) -> None:
    with_empty = torch.stack([batch[0], torch.full_like(batch[0], 0.5)])
    with pytest.raises(NoFaceError, match=r"picture 1 of the batch: .*turn on copy_unrestored"):
        run(RestoreFaces, restorer=restorer, image=with_empty)
    pictures, mask, report = run(RestoreFaces, restorer=restorer, image=with_empty, copy_unrestored=True)
    np.testing.assert_array_equal(pictures[1].numpy(), with_empty[1].numpy())
    assert float(mask[1].max()) == 0
    assert [one["status"] for one in json.loads(report)] == ["restored", "no face"]


def test_a_picture_that_is_passed_on_is_repaired_as_the_others(
    restorer: Restorer, batch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage = torch.zeros(batch.shape[1:3])
    damage[100:130, 100:160] = 1
    empty = torch.full_like(batch[:1], 0.5)
    empty[:, 100:130, 100:160] = 0
    with pytest.raises(NoFaceError):
        run(RestoreFaces, restorer=restorer, image=empty, damage=damage[None])
    pictures, _, report = run(
        RestoreFaces, restorer=restorer, image=empty, damage=damage[None], copy_unrestored=True, upscale=2.0
    )
    assert float(pictures.min()) > 0.4
    (record,) = json.loads(report)
    assert record["repairs"] is not None
    assert (record["status"], record["copied"]) == ("no face", True)

    def nothing(*_given: Any, **_named: Any) -> Any:
        raise ValueError("this face cannot be restored")

    monkeypatch.setattr(type(restorer.runtime), "run", nothing)
    with pytest.raises(NoFaceError, match="turn on copy_unrestored"):
        run(RestoreFaces, restorer=restorer, image=batch[:1])
    pictures, mask, report = run(RestoreFaces, restorer=restorer, image=batch[:1], copy_unrestored=True)
    np.testing.assert_array_equal(pictures[0].numpy(), batch[0].numpy())
    assert float(mask.max()) == 0
    (record,) = json.loads(report)
    assert (record["status"], record["copied"], record["faces"][0]["status"]) == ("failed", True, "failed")


def test_damage_is_filled_and_not_restored(restorer: Restorer, batch: Any) -> None:
    damage = torch.zeros(batch.shape[1:3])
    damage[100:130, 100:160] = 1
    _, mask, report = run(RestoreFaces, restorer=restorer, image=batch, damage=damage[None])
    assert float(mask[0, 105:125, 105:155].max()) == 0
    assert json.loads(report)[0]["repairs"] is not None


def test_references_are_handed_on(restorer: Restorer, batch: Any, astronaut: Image) -> None:
    from likeness.reference.references import References

    (references,) = run(MakeReferences, photographs=batch[1:])
    pictures, _, _ = run(RestoreFaces, restorer=restorer, image=batch[:1], references=references)
    mirrored = Image(pixels=np.ascontiguousarray(astronaut.pixels[:, ::-1]))
    expected = restorer.restore(astronaut, references=References([mirrored]))
    np.testing.assert_array_equal(pictures[0].numpy(), expected.image.pixels)
    with pytest.raises(ArgumentError, match="at least one photograph"):
        run(MakeReferences)
    (blank,) = run(MakeReferences, photographs=torch.zeros(1, 64, 64, 3))
    with pytest.raises(NoFaceError, match="shows no face that could serve"):
        run(RestoreFaces, restorer=restorer, image=batch[:1], references=blank, copy_unrestored=True)


def test_a_number_that_is_typed_as_a_word_is_told(restorer: Restorer, batch: Any) -> None:
    with pytest.raises(ControlError, match='upscale must be "auto" or a number, not "lots"'):
        run(RestoreFaces, restorer=restorer, image=batch[:1], upscale="lots")


def test_evidence_and_preflight_tell_what_they_see(batch: Any) -> None:
    verdict, sentences, crops, report = run(FaceEvidence, before=batch[:1], after=batch[:1])
    assert verdict in ("none", "good", "look")
    assert "bad" not in sentences
    assert crops.shape == (1, 512, 1024, 3)
    assert json.loads(report)[0]["faces"][0]["index"] == 0
    with pytest.raises(ConfigError, match="2 pictures before and 1 after"):
        run(FaceEvidence, before=batch, after=batch[:1])

    same, fine, sentences, report = run(Preflight, image=batch)
    assert same is batch
    assert fine
    assert [one["status"] for one in json.loads(report)] != ["refuse", "refuse"]
    empty = torch.full_like(batch[:1], 0.5)
    _, fine, sentences, _ = run(Preflight, image=empty)
    assert not fine
    assert sentences.startswith("picture 0: no face was found")
    with pytest.raises(ConfigError, match="picture 0 of the batch is refused: no face was found"):
        run(Preflight, image=empty, stop=True)
    with pytest.raises(ConfigError, match="nonsense"):
        run(Preflight, image=empty, refuse="nonsense")


def test_tensors_of_every_kind_come_through() -> None:
    rng = np.random.default_rng(0)
    samples = torch.from_numpy(rng.uniform(-0.5, 1.5, (2, 5, 7, 4)).astype(np.float32))
    images = images_of(samples)
    np.testing.assert_array_equal(picture_batch(images).numpy(), samples.clamp(0, 1).numpy())
    grey = images_of(samples[..., :1])
    assert grey[0].grey
    assert picture_batch(grey).shape == (2, 5, 7, 3)
    assert [mask.shape for mask in masks_of(samples[0, ..., 0], images)] == [(5, 7)] * 2
    with pytest.raises(ArgumentError, match="the mask is 2 x 5 x 4 and must be 2 x 5 x 7"):
        masks_of(samples[..., :4, 0], images)
    with pytest.raises(ArgumentError, match="no picture"):
        images_of(samples[0])
    with pytest.raises(ArgumentError, match="infinite or undefined"):
        images_of(torch.full((1, 4, 4, 3), float("nan")))


@pytest.mark.parametrize("name", workflows.WORKFLOWS)
def test_the_example_workflows_fit_the_nodes(name: str) -> None:
    """The files are what the tool makes of the nodes today, and everything set or joined in them is taken by the nodes."""
    written = json.loads((FOLDER / "example_workflows" / f"{name}.json").read_text())
    drawn = workflows.canvas(workflows.WORKFLOWS[name])
    assert written == drawn, "run python tools/comfyui_workflows.py"
    kinds = {node["id"]: node for node in written["nodes"]}
    for _, source, output, target, socket, kind in written["links"]:
        assert kinds[source]["outputs"][output]["type"] == kind
        assert kinds[target]["inputs"][socket]["type"] in (kind, "*")
    for node in workflows.WORKFLOWS[name].values():
        for key, value in node.given.items():
            declared, told = node.inputs[key]
            if isinstance(declared, list):
                assert value in declared
            elif declared in ("INT", "FLOAT"):
                assert told["min"] <= value <= told["max"]
        lacking = [
            key
            for key in (NODE_CLASS_MAPPINGS[node.kind].INPUT_TYPES()["required"] if "Likeness" in node.kind else ())
            if not node.is_widget(key) and key not in node.given
        ]
        assert not lacking


def test_outside_comfyui_the_device_is_found_by_likeness() -> None:
    if importlib.util.find_spec("comfy") is not None:
        pytest.skip("ComfyUI is here")
    assert chosen_device(COMFYUIS) == "auto"
    assert chosen_device("cpu") == "cpu"


class Interrupted(BaseException):
    """As ComfyUI's of today; it was an ``Exception`` once."""


class InterruptedOnce(Exception):  # noqa: N818
    """As ComfyUI's of 2024."""


class StandIn:
    """ComfyUI's modules as far as the nodes ask them, where ComfyUI itself is not at hand."""

    def __init__(self, folder: Path, interrupted: type[BaseException] = Interrupted) -> None:
        self.told: list[tuple[int, int]] = []
        self.stop_at = 1.0
        self.device = "cpu"
        modules = {
            name: ModuleType(name) for name in ("comfy", "comfy.model_management", "comfy.utils", "folder_paths")
        }
        self.modules: dict[str, Any] = modules

        def throw() -> None:
            if self.told and self.told[-1][0] / self.told[-1][1] >= self.stop_at:
                raise interrupted

        class ProgressBar:
            def __init__(bar, total: int) -> None:  # noqa: N805 (self is the stand-in)
                bar.total = total

            def update_absolute(bar, value: int, total: int) -> None:  # noqa: N805
                assert total == bar.total
                self.told.append((value, total))

        def folders(kind: str) -> list[str]:
            return {"upscale_models": [str(folder / "upscale_models"), str(folder / "more")]}[kind]

        management: Any = modules["comfy.model_management"]
        management.get_torch_device = lambda: torch.device(self.device)
        management.throw_exception_if_processing_interrupted = throw
        self.modules["comfy.utils"].ProgressBar = ProgressBar
        self.modules["folder_paths"].get_folder_paths = folders
        self.modules["folder_paths"].models_dir = str(folder)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> StandIn:
    stands = StandIn(tmp_path / "models", getattr(request, "param", Interrupted))
    for name, module in stands.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return stands


def test_the_device_is_comfyuis(stand_in: StandIn) -> None:
    assert chosen_device(COMFYUIS) == "cpu"
    stand_in.device = "cuda"
    assert chosen_device(COMFYUIS) == "cuda"
    stand_in.device = "mps"  # nothing here runs on it
    assert chosen_device(COMFYUIS) == "cpu"


def test_the_bar_moves_within_a_picture(stand_in: StandIn, restorer: Restorer, batch: Any) -> None:
    stand_in.stop_at = 2.0
    run(RestoreFaces, restorer=restorer, image=batch)
    values = [value for value, _ in stand_in.told]
    assert values == sorted(values)
    assert {50, 100, 150, 200} <= set(values)
    assert {total for _, total in stand_in.told} == {200}


@pytest.mark.parametrize("stand_in", [Interrupted, InterruptedOnce], indirect=True)
def test_cancel_ends_the_work_with_comfyuis_own_exception(stand_in: StandIn, restorer: Restorer, batch: Any) -> None:
    stand_in.stop_at = 0.2  # the network has answered for the first of two pictures
    with pytest.raises((Interrupted, InterruptedOnce)):
        run(RestoreFaces, restorer=restorer, image=batch)
    assert stand_in.told[-1] == (50, 200)


def test_networks_in_comfyuis_folders_can_be_chosen(stand_in: StandIn, tiny_model: Path, batch: Any) -> None:
    models = Path(stand_in.modules["folder_paths"].models_dir)
    theirs = models / "facerestore_models" / "mine" / f"GPEN{tiny_model.suffix}"
    enlargers = models / "upscale_models"
    for folder in (theirs.parent, enlargers, models / "more"):
        folder.mkdir(parents=True)
    theirs.write_bytes(tiny_model.read_bytes())
    (theirs.parent / "notes.txt").write_text("none")
    (models / "more" / "4x.pth").write_bytes(b"no network")
    name = f"facerestore_models/mine/{theirs.name}"
    choices = LoadRestorer.INPUT_TYPES()["required"]["model"][0]
    assert [choice for choice in choices if "/" in choice] == [name]
    (restorer,) = run(LoadRestorer, model=name, device="cpu", precision="f32")
    pictures, _, _ = run(RestoreFaces, restorer=restorer, image=batch[:1])
    assert pictures.shape == batch[:1].shape
    assert "upscale_models/4x.pth" in RestoreFaces.INPUT_TYPES()["required"]["background"][0]
    with pytest.raises(CheckpointError, match=r"4x\.pth"):
        run(RestoreFaces, restorer=restorer, image=batch[:1], upscale="2", background="upscale_models/4x.pth")


def test_comfyui_is_told_when_an_album_has_changed(tmp_path: Path, astronaut_file: Path) -> None:
    def state() -> str:
        return MakeReferences.IS_CHANGED(str(tmp_path), trust_references=False)

    empty = state()
    (tmp_path / "a.jpg").write_bytes(astronaut_file.read_bytes())
    one = state()
    assert one == state() != empty
    (tmp_path / "b.jpg").write_bytes(astronaut_file.read_bytes())
    assert state() not in (one, empty)
    assert MakeReferences.IS_CHANGED("") == MakeReferences.IS_CHANGED(str(tmp_path / "none")) == ""


def prompt_of(nodes: Any, own: dict[str, str]) -> dict[str, Any]:
    """A workflow as ComfyUI's executor takes it; ``own`` are other types for some nodes."""
    return {
        name: {
            "class_type": own.get(node.kind, node.kind),
            "inputs": {
                key: [
                    node.given[key][0],
                    [one for one, _ in nodes[node.given[key][0]].outputs].index(node.given[key][1]),
                ]
                if not node.is_widget(key)
                else node.value(key)
                for key in node.inputs
                if node.is_widget(key) or key in node.given
            },
        }
        for name, node in nodes.items()
    }


class Photograph:
    """Stands in for ComfyUI's LoadImage, which needs more of its libraries than its executor."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "load"
    tensor: Any = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        return {"required": {"image": ("STRING", {})}}

    def load(self, image: str) -> tuple[Any, Any]:
        assert image
        return self.tensor, torch.zeros(self.tensor.shape[:3])


class Kept:
    """An output node that keeps what it is given."""

    RETURN_TYPES = ()
    FUNCTION = "keep"
    OUTPUT_NODE = True
    seen: list[Any] = []  # noqa: RUF012

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        optional = {key: (kind, {}) for key, kind in (("images", "IMAGE"), ("mask", "MASK"), ("source", "STRING"))}
        return {"required": {}, "optional": {**optional, "filename_prefix": ("STRING", {})}}

    def keep(self, **values: Any) -> dict[str, Any]:
        self.seen.extend(values[key] for key in ("images", "mask", "source") if key in values)
        return {"ui": {}}


class Listener:
    """What ComfyUI's executor tells a browser."""

    client_id = "test"
    last_node_id = last_prompt_id = None
    receive_all_progress_notifications = False

    def __init__(self) -> None:
        self.events: list[tuple[Any, Any]] = []

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:  # noqa: ARG002
        self.events.append((event, data))

    def queue_updated(self) -> None:
        return


@pytest.fixture
def comfy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ComfyUI's executor, knowing our nodes."""
    if importlib.util.find_spec("comfy") is None:
        pytest.skip("ComfyUI is not installed beside this library")
    monkeypatch.setattr(sys, "argv", ["comfyui", "--cpu"])
    from comfy.cmd import execution  # type: ignore[import-not-found]
    from comfy.nodes.package_typing import ExportedNodes  # type: ignore[import-not-found]

    nodes = ExportedNodes()
    nodes.NODE_CLASS_MAPPINGS.update(NODE_CLASS_MAPPINGS)
    nodes.NODE_CLASS_MAPPINGS.update({"Photograph": Photograph, "Kept": Kept})
    monkeypatch.setattr(execution, "nodes", nodes)
    return execution


OWN = {"LoadImage": "Photograph"} | dict.fromkeys(("SaveImage", "PreviewImage", "MaskPreview", "PreviewAny"), "Kept")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", workflows.WORKFLOWS)
def test_comfyui_runs_the_example_workflows(name: str, comfy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Photograph, "tensor", batch)
    monkeypatch.setattr(Kept, "seen", [])
    prompt = prompt_of(workflows.WORKFLOWS[name], OWN)
    valid = comfy.validate_prompt(prompt)
    assert valid[0], valid
    listener = Listener()
    executor = comfy.PromptExecutor(listener)
    executor.execute(prompt, "1", {"client_id": "test"}, list(valid[2]))
    assert executor.success, executor.status_messages
    pictures = next(one for one in Kept.seen if not isinstance(one, str) and one.ndim == 4)
    assert len(pictures) == len(batch)
    told = [(data["value"], data["max"]) for event, data in listener.events if event == "progress"]
    assert told[-1] == (200, 200)


@pytest.mark.filterwarnings("default")
def test_comfyui_stops_the_work(comfy: Any, batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from comfy import model_management  # type: ignore[import-not-found]

    class Impatient(Listener):
        def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
            super().send_sync(event, data, sid)
            if event == "progress":
                model_management.interrupt_current_processing()

    monkeypatch.setattr(Photograph, "tensor", torch.cat([batch, batch]))
    monkeypatch.setattr(Kept, "seen", [])
    prompt = prompt_of(workflows.WORKFLOWS["restore-a-portrait"], OWN)
    executor = comfy.PromptExecutor(listener := Impatient())
    executor.execute(prompt, "1", {"client_id": "test"}, list(comfy.validate_prompt(prompt)[2]))
    assert not executor.success
    assert "execution_interrupted" in [event for event, _ in listener.events]
    assert not any(event == "execution_error" for event, _ in listener.events)
    assert len([event for event, _ in listener.events if event == "progress"]) == 1
