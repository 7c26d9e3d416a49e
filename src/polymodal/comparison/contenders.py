"""The contenders of a comparison (every single field alone, and every fusion of all fields), and the settings that are tried for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..config import override
from ..errors import ConfigError, nearest, spelled
from ..experiment import Experiment
from ..fusions import KINDS, menu_of

MULTIPLES: tuple[dict[str, float], ...] = (
    {},
    {"training.lr": 3.0},
    {"training.lr": 1 / 3},
    {"training.weight_decay": 5.0, "model.dropout": 3.0},
)
"""The trials of every contender: the factors by which settings of the experiment are multiplied."""
_MOST = {"model.dropout": 0.5}
BALANCED = "ogm_ge"
"""The balancing method of the fusion that takes part once more by default."""


@dataclass(frozen=True)
class Contender:
    """A single field alone, or a fusion of all fields."""

    name: str
    field: str | None = None
    """The only field that it uses; None = all fields."""
    overrides: tuple[str, ...] = ()
    """The ``path=value`` settings that define it."""
    of: str = ""
    """The name of the fusion that takes part once more as this contender, under other settings; "" = none."""
    trees: bool = False
    """Whether boosted trees vote beside the network. Fields and fusions are compared without them, since they would vote beside all."""

    def experiment(self, base: Experiment, trial: int, seed: int) -> Experiment:
        """Return the experiment of one trial.

        :param base: the experiment that is compared
        :param trial: the index of the trial in ``MULTIPLES``
        :param seed: the random seed of the training
        """
        without = () if self.trees else ("model.trees=null",)
        tree, _ = override(base.tree(), [*self.overrides, *settings_of(base, trial), f"seed={seed}", *without])
        return Experiment.of(tree)


def settings_of(base: Experiment, trial: int) -> list[str]:
    """Return the settings that a trial changes, as overrides."""
    tree, settings = base.tree(), []
    for path, multiple in MULTIPLES[trial].items():
        room, name = path.split(".")
        settings.append(f"{path}={min(tree[room][name] * multiple, _MOST.get(path, float('inf'))):.6g}")
    return settings


def contenders(experiment: Experiment, fusions: Sequence[str] | None, also: Sequence[str] | None) -> tuple[list[Contender], dict[str, str]]:
    """Return the contenders, single fields first and then fusions; and the reason, by name, why a fusion of the menu cannot take part.

    :param fusions: names on the menu; None or none = those that are compared by default, and the experiment's own
    :param also: settings under which each fusion takes part once more; None = the experiment's own fusion (else the first) with balancing,
        or without it if the experiment has it
    :raises ConfigError: there are fewer than two fields, a name is unknown, or a requested fusion cannot fuse these fields
    """
    alone = [Contender(f"only {name}", name) for name in experiment.fields]
    if len(alone) < 2:
        raise ConfigError(f"compare: {len(alone)} field; expected two or more to fuse; train it: polymodal train TABLE --target COL")
    own, fused, refused = experiment.model.fusion, [], {}
    kinds = list(fusions or (kind for kind in KINDS if menu_of(kind).is_compared))
    if own.kind not in kinds and not fusions:
        kinds.append(own.kind)
    for kind in dict.fromkeys(kinds):
        if kind not in KINDS and kind != own.kind:
            raise ConfigError(
                f"{spelled('--fusion', 'fusions:')} {kind}: not on the menu; expected one of {', '.join(KINDS)}{nearest(kind, KINDS)}"
            )
        settings = () if kind == own.kind else (f"model.fusion.kind={kind}",)
        one = Contender(kind, None, settings)
        try:
            one.experiment(experiment, 0, 0)
        except ConfigError as error:
            if fusions:
                raise
            refused[kind] = str(error)
            continue
        fused.append(one)
    if also:
        fused += _once_more(experiment, fused, also, refused)
    elif also is None and fused:
        fused += _balanced(experiment, _own(fused), refused)
    return [*alone, *fused], refused


def own_with_trees(taking_part: Sequence[Contender]) -> Contender | None:
    """Return the experiment's own fusion, else the first one, with boosted trees; None if there is no fusion."""
    fused = [one for one in taking_part if one.field is None and not one.of]
    if not fused:
        return None
    own = _own(fused)
    return Contender(f"{own.name} + trees", None, own.overrides, own.name, trees=True)


def _own(fused: Sequence[Contender]) -> Contender:
    """Return the experiment's own fusion, else the first one."""
    return next((one for one in fused if not one.overrides), fused[0])


def _once_more(
    experiment: Experiment, fused: Sequence[Contender], also: Sequence[str], refused: dict[str, str], label: str = ""
) -> list[Contender]:
    """Return the fusions under other settings. A fusion that does not accept them is added to ``refused``; if none does, the first error is
    raised.

    :param label: what the names of these contenders state about the settings; "" = the settings
    """
    more, first = [], None
    for one in fused:
        again = Contender(f"{one.name} + {label or ' '.join(also)}", None, (*one.overrides, *also), one.name)
        try:
            again.experiment(experiment, 0, 0)
            more.append(again)
        except ConfigError as error:
            first, refused[again.name] = first or error, str(error)
    if first is not None and not more:
        raise first
    return more


def _balanced(experiment: Experiment, one: Contender, refused: dict[str, str]) -> list[Contender]:
    """Return a fusion with balancing, or without it if the experiment has it; nothing if that is not possible."""
    kind = BALANCED if experiment.training.balance.kind == "none" else "none"
    try:
        return _once_more(experiment, [one], [f"training.balance.kind={kind}"], refused, f"balance {kind}")
    except ConfigError:
        return []
