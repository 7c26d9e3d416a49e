"""The bundle: a saved model as a folder of JSON and safetensors files. It never contains a pickle.

- ``bundle.json``: the format, versions, experiment, tasks, metrics, and the SHA-256 of every other file but the model card
- ``states.json``: the fitted states of the modalities and tasks
- ``weights.safetensors``: the weights of all members, with the prefixes ``0.``, ``1.``, ...
- ``README.md``: the model card, which is not read: people may edit it
- ``frozen.safetensors``: the weights of frozen backbones, with the field's position as prefix; only if there are frozen backbones and
  ``bundle.frozen`` is not "reference"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from . import __version__
from .backbones import Backbone
from .config import External
from .errors import BundleError, ConfigError, nearest_folder, spelled, warn
from .experiment import Experiment
from .flow import State
from .frozen import digest_of
from .inference import BLOCK
from .language import Sentence
from .modalities import Roots
from .model import MultiModalModel, build
from .pages import escaped
from .remote import url_of
from .storage import checksum_of, hint_of_runs, not_written, write_whole
from .tasks import Task
from .weights import Parts, below, restored, stored

FORMAT = 1
_FILES = ("states.json", "weights.safetensors")
_FROZEN = "frozen.safetensors"


@dataclass
class Bundle:
    """A trained model with everything that prediction needs. It needs neither the training table nor external code."""

    experiment: Experiment
    tasks: Mapping[str, Task]
    states: Mapping[str, State]
    members: Sequence[MultiModalModel]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    backbones: Mapping[str, Backbone] = field(default_factory=dict)
    """The frozen backbone of each field that has one. All members share it."""

    def save(self, folder: str | Path) -> Path:
        """Save the bundle in ``folder``, which is created if it does not exist. Each file is written atomically, ``bundle.json`` last.

        :raises BundleError: the folder cannot be written
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files = {
                "states.json": _json({"fields": self.states, "tasks": {name: task.state for name, task in self.tasks.items()}}),
                "weights.safetensors": save_tensors(self._tensors()),
            }
            if self.backbones and self.experiment.bundle.frozen == "pack":
                files[_FROZEN] = save_tensors(self._frozen_tensors())
            for name, body in files.items():
                write_whole(folder / name, body)
            write_whole(folder / "README.md", card(self).encode("utf-8", "replace"))
            head = {
                "format": FORMAT,
                "polymodal": __version__,
                "torch": torch.__version__,
                "experiment": self.experiment.tree(),
                "members": len(self.members),
                "block": BLOCK,
                "metrics": self.metrics,
                "frozen": {name: digest_of(backbone) for name, backbone in self.backbones.items()},
                "sha256": {name: hashlib.sha256(body).hexdigest() for name, body in files.items()},
            }
            write_whole(folder / "bundle.json", _json(head | {"check": checksum_of(head)}))
        except OSError as error:
            raise BundleError(not_written(folder, error, "folder")) from None
        return folder

    def _tensors(self) -> dict[str, Tensor]:
        """Return the weights of all members by the names that ``weights.safetensors`` has for them."""
        return {
            f"{at}.{name}": stored(value.detach().cpu().contiguous())
            for at, member in enumerate(self.members)
            for name, value in member.state_dict().items()
        }

    def _frozen_tensors(self) -> dict[str, Tensor]:
        """Return the weights of the frozen backbones by the names that ``frozen.safetensors`` has for them."""
        places = {name: at for at, name in enumerate(self.experiment.fields)}
        return {
            f"{places[field]}.{name}": value.detach().cpu().contiguous()
            for field, backbone in self.backbones.items()
            for name, value in backbone.state_dict().items()
        }

    def to(self, device: torch.device) -> None:
        """Move all members and frozen backbones to a device."""
        for part in (*self.members, *self.backbones.values()):
            part.to(device)

    @staticmethod
    def digest(folder: str | Path) -> str:
        """Return a digest of a bundle's content: 32 hex digits of the SHA-256 of ``bundle.json``, which contains the other sums."""
        return hashlib.sha256((find(folder) / "bundle.json").read_bytes()).hexdigest()[:32]

    @classmethod
    def load(cls, folder: str | Path, trust: bool = False) -> Bundle:
        """Load the bundle of a folder.

        :param folder: a bundle, or a run that contains one
        :param trust: whether to allow external components (``module:Class``), whose code is executed
        :raises BundleError: there is no bundle, its format is newer than this version, it was altered, its parts do not fit together, or it
            needs external code and ``trust`` is False
        """
        folder = find(folder)
        head = _read_json(folder / "bundle.json")
        if not isinstance(head, dict) or not isinstance(head.get("format"), int):
            raise BundleError(f"{folder}/bundle.json: no format; expected a bundle that polymodal wrote")
        if head["format"] > FORMAT:
            raise BundleError(
                f"{folder}: bundle format {head['format']}, written by polymodal {head.get('polymodal')}; this is {__version__}, which "
                f"reads formats up to {FORMAT}; pip install --upgrade polymodal"
            )
        if head.get("check") != checksum_of({key: value for key, value in head.items() if key != "check"}):
            raise BundleError(f"{folder}/bundle.json: altered since it was written; copy the bundle again, whole")
        sums = head["sha256"] if isinstance(head.get("sha256"), dict) else {}
        bodies = {}
        for name in (*_FILES, *((_FROZEN,) if _FROZEN in sums else ())):
            try:
                if (folder / name).exists() and not (folder / name).is_file():
                    raise BundleError(f"{folder}/{name}: not a regular file; copy the bundle again, whole")
                bodies[name] = (folder / name).read_bytes()
            except OSError as error:
                raise BundleError(f"{folder}/{name}: cannot be read ({error.strerror}); copy the bundle again, whole") from None
            if hashlib.sha256(bodies[name]).hexdigest() != sums.get(name):
                raise BundleError(f"{folder}/{name}: altered since it was written; copy the bundle again, whole")
        try:
            experiment = Experiment.of(head["experiment"])
            _refuse_code(experiment, trust)
            states = json.loads(bodies["states.json"])
            tasks = {name: config.task()(config, states["tasks"][name]) for name, config in experiment.tasks.items()}
            fields = {name: states["fields"][name] for name in experiment.fields}
            for part in (
                *tasks.values(),
                *(config.modality()(config, fields[name], Roots()) for name, config in experiment.fields.items()),
            ):
                part.check()
            tensors = {name: restored(value) for name, value in load_tensors(bodies["weights.safetensors"]).items()}
            members = []
            if not tasks or not fields or not isinstance(head["metrics"], dict) or not 1 <= head["members"] <= len(tensors):
                raise ValueError(f"{len(tasks)} tasks, {len(fields)} fields, {head['members']} members")
            for at in range(head["members"]):
                weights = below(tensors, f"{at}.")
                _fit_together(experiment, fields, tasks, weights)
                member = build(experiment.model, fields, tasks)
                member.restore(weights, experiment.forms(fields), fields, partial(build, experiment.model, fields, tasks))
                members.append(member.eval())
            backbones = _backbones(experiment, fields, bodies.get(_FROZEN), head.get("frozen", {}))
            made = cls(experiment, tasks, fields, members, head["metrics"], backbones)
            card(made)  # fails if the metrics do not have the structure that training writes
        except (
            ArithmeticError, AssertionError, AttributeError, ConfigError, LookupError, MemoryError, RecursionError, RuntimeError,
            SafetensorError, TypeError, ValueError,
        ) as error:  # fmt: skip
            raise BundleError(f"{folder}: its parts do not fit together ({str(error)[:300]}); copy the bundle again, whole") from None
        return made


def _fit_together(experiment: Experiment, states: Mapping[str, State], tasks: Mapping[str, Task], weights: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` unless the weights have the names and shapes of the described model, before memory is allocated for it."""
    if any(isinstance(part, External) for part in (*experiment.model.encoders.values(), experiment.model.fusion)):
        return
    with torch.device("meta"):
        model = build(experiment.model, states, tasks)
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if not model.takes_others:
        _same_shapes(expected, weights)
        return
    parts = Parts.of(weights)  # ``restore`` checks the trees
    for further in parts.further:
        _same_shapes(expected, further)
    more = len(parts.further) + bool(parts.trees)
    _same_shapes(expected | {"vote_weights_TV": torch.Size([len(tasks), expected["vote_weights_TV"][1] + more])}, parts.network)


def _same_shapes(expected: Mapping[str, torch.Size], weights: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` unless the weights have the expected names and shapes."""
    for name in sorted(expected.keys() | weights.keys()):
        if name not in weights or name not in expected or weights[name].shape != expected[name]:
            shapes = [tuple(tensors[name]) if name in tensors else "nothing" for tensors in
                      ({key: value.shape for key, value in weights.items()}, expected)]  # fmt: skip
            raise ValueError(f"{name}: found {shapes[0]}; expected {shapes[1]}")


def _backbones(
    experiment: Experiment, states: Mapping[str, State], packed: bytes | None, digests: Mapping[str, str]
) -> dict[str, Backbone]:
    """Return the frozen backbones, with weights from the bundle or, if it does not contain them, from this machine (with a warning).

    :param packed: the content of ``frozen.safetensors``; None = the bundle does not contain the weights
    :param digests: the digest of each backbone's weights when the bundle was written
    """
    backbones = {}
    tensors = load_tensors(packed) if packed is not None else {}
    for at, (name, encoder) in enumerate((name, experiment.model.encoders[name]) for name in experiment.fields):
        if isinstance(encoder, External) or not encoder.is_frozen:
            continue
        weights = below(tensors, f"{at}.")
        if packed is not None:
            with torch.device("meta"):
                _same_shapes({key: value.shape for key, value in encoder.backbone(states[name]).state_dict().items()}, weights)
        backbone = encoder.backbone(states[name]).eval().requires_grad_(False)
        if packed is not None:
            backbone.load_state_dict(weights)
        else:
            backbone.load(download=False)
            if digest_of(backbone) != digests.get(name):
                raise ValueError(f"field {name!r}: the frozen weights on this machine differ from those that it was trained with")
            model = states[name]["backbone"]["model"]
            warn(Sentence("bundle.frozen_elsewhere", field=name, model=str(model)))
        backbones[name] = backbone
    return backbones


def find(folder: str | Path) -> Path:
    """Return the folder of the bundle: ``folder``, or ``folder/bundle`` for a run.

    :raises BundleError: neither contains a ``bundle.json``
    """
    folder = Path(folder)
    if (url := url_of(folder)) is not None:
        raise BundleError(f"{url}: a URL; expected a local run or bundle; copy it from the store first")
    for candidate in (folder, folder / "bundle"):
        if (candidate / "bundle.json").is_file():
            return candidate
    if not folder.exists():
        fix = nearest_folder(folder) or "; train one: polymodal train TABLE --target COL"
        raise BundleError(f"{folder}: no such folder; expected a run or a bundle{fix}")
    if folder.is_file():
        raise BundleError(f"{folder}: a file; expected the folder of a run or a bundle; the run is named first, and then the table")
    raise BundleError(f"{folder}: contains no bundle.json; expected a run that ended or a bundle{hint_of_runs(folder)}")


def _refuse_code(experiment: Experiment, trust: bool) -> None:
    """Raise ``BundleError`` if the experiment has external components and ``trust`` is False."""
    parts = [*experiment.model.encoders.values(), experiment.model.fusion]
    named = [part.kind for part in parts if isinstance(part, External)]
    if named and not trust:
        raise BundleError(
            f"the bundle needs external code: {', '.join(named)}; load it only if you trust it: {spelled('--trust', 'trust=True')}"
        )


def _json(value: Any) -> bytes:
    """Return plain data as the content of a JSON file."""
    return (json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def _read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    :raises BundleError: the file cannot be read
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: cannot be read ({error}); copy the bundle again, whole") from None


def card(bundle: Bundle) -> str:
    """Return the model card in Markdown: the targets, the fields, the metrics and how to use the model."""
    experiment = bundle.experiment
    lines = ["# A polymodal model", "", "It predicts", ""]
    lines += [f"- {escaped(task.config.column)} ({task.config.kind}): {escaped(task.describe())}" for task in bundle.tasks.values()]
    lines += ["", "from", ""]
    for name, config in experiment.fields.items():
        columns = ", ".join(escaped(repr(source)) for source in config.sources)
        lines.append(f"- {escaped(name)} ({config.kind}, column {columns}; encoder {escaped(experiment.model.encoders[name].kind)})")
    count = f", {len(bundle.members)} models averaged" if len(bundle.members) > 1 else ""
    lines += ["", f"fused by {experiment.model.fusion.kind}{count}. Any field may be missing in any row.", ""]
    validation = bundle.metrics.get("validation", {})
    if validation:
        lines += ["Metrics on validation rows, none of which selected the epoch or the vote weights of the model measured on them:", ""]
        lines += [f"- {escaped(target)}: " + ", ".join(f"{metric} {value:.4f}" for metric, value in values.items() if value is not None)
                  for target, values in validation["tasks"].items()]  # fmt: skip
    lines += ["", "```", "polymodal predict THIS_FOLDER TABLE -o predictions.csv", "```", ""]
    return "\n".join(lines)
