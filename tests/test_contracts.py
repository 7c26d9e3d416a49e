"""Tests of what every entry of every menu must do. They name no entry, so that a new entry is tested because it is on its menu."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from builders.cells import FIELDS, cell_of, defaults, fusing, made, named
from polymodal import encoders, fusions, modalities, tasks
from polymodal.config import validate
from polymodal.data.loader import field_of
from polymodal.encoders import Encoder
from polymodal.errors import ConfigError
from polymodal.flow import Features, Field, Output
from polymodal.inference import BLOCK, WINDOW, Window, answers
from polymodal.modalities import Modality, Roots
from polymodal.model import ModelConfig, MultiModalModel, build
from polymodal.server.batching import Batcher
from polymodal.server.models import one_core
from polymodal.tasks import Task

ALL = [*encoders.CONFIGS, *fusions.CONFIGS, *tasks.CONFIGS, *modalities.CONFIGS]
WIDTH = 16


EATEN = [
    pytest.param(encoder, kind, id=f"{named(encoder)} of {kind.kind}")
    for encoder in encoders.CONFIGS
    for kind in modalities.MODALITIES
    if encoder.form in kind.forms or (encoder is encoders.PretrainedConfig and kind is modalities.Image)
]


def fitted(encoder: Any, kind: Any = None) -> Modality:
    """A field of the kind that the encoder eats (the first such, if none is said), fitted to some cells."""
    kind = kind or next(m for m in modalities.MODALITIES if encoder.form_for(m.forms) in m.forms)
    config = FIELDS.get(kind.kind) or defaults(next(one for one in modalities.CONFIGS if one.modality() is kind))
    cells = [cell_of(kind.kind, at) for at in range(30)]
    form = encoder.form_for(kind.forms)
    needs = encoder.needs(form)
    state = kind.fit(config, cells, form, needs, Roots())
    return kind(config, state | ({"backbone": needs["backbone"]} if "backbone" in needs else {}), Roots())


def samples_of(modality: Modality, count: int, start: int = 0) -> list[Any]:
    return [modality.read(cell_of(modality.kind, at)) for at in range(start, start + count)]


# -- every config --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ALL, ids=named)
def test_a_config_is_made_of_defaults_and_survives_json(config: Any) -> None:
    made = defaults(config)
    tree = json.loads(json.dumps(made.tree()))
    assert tree["kind"] == config.model_fields["kind"].default
    assert validate(config, tree) == made
    with pytest.raises(Exception, match="frozen"):
        made.kind = "other"
    with pytest.raises(ConfigError, match="unknown setting"):
        validate(config, {**tree, "no_such_setting": 1})


@pytest.mark.parametrize("config", ALL, ids=named)
def test_every_setting_says_what_it_does(config: Any) -> None:
    silent = [name for name, field in config.model_fields.items() if name != "kind" and not field.description]
    assert not silent


# -- every modality ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoder", "kind"), EATEN)
def test_a_modality_makes_the_form_that_is_eaten(encoder: Any, kind: Any) -> None:
    modality = fitted(made(encoder), kind)
    again = type(modality)(modality.config, json.loads(json.dumps(modality.state)), Roots())
    for at in range(5):
        cell = cell_of(modality.kind, at)
        one, two = modality.read(cell), again.read(cell)
        assert one.keys() == modality.blank().keys()
        for name, values in one.items():
            np.testing.assert_array_equal(values, two[name])
            assert values.dtype == modality.blank()[name].dtype
        varied = modality.augment(one, np.random.default_rng(0))
        modality.collate([one, varied, modality.blank()], modality.geometry(one))
        for corruption in modality.corruptions():
            worse = modality.corrupt(modality.parsed(cell), corruption, 5)
            if worse is not None:
                assert {name: value.dtype for name, value in worse.items()} == {name: value.dtype for name, value in one.items()}
                modality.collate([worse, modality.blank()], modality.geometry(worse))
    assert modality.describe()
    with pytest.raises(ConfigError, match="cannot read a field of kind"):
        modality.check_form("tensor")


@pytest.mark.parametrize(("encoder", "kind"), EATEN)
def test_what_is_left_of_a_cell_without_a_part_is_a_sample_like_any_other(encoder: Any, kind: Any) -> None:
    modality = fitted(made(encoder), kind)
    for at in range(5):
        cell = cell_of(modality.kind, at)
        sample = modality.read(cell)
        parts = modality.parts(cell, sample)
        if parts is None:
            continue
        assert 1 <= len(parts.names) == len(parts.without) <= 256
        assert parts.grid is None or parts.grid[0] * parts.grid[1] == len(parts.names)
        assert (
            "".join(part for pair in zip(parts.between, [*parts.names, ""], strict=True) for part in pair) == cell
            if parts.between
            else True
        )
        for rest in parts.without:
            if rest is not None:
                assert rest.keys() == sample.keys()
                assert all(rest[name].dtype == values.dtype for name, values in sample.items())
                modality.collate([rest], modality.geometry(rest))
        assert any(rest is None or any(not np.array_equal(rest[name], sample[name], equal_nan=rest[name].dtype.kind == "f") for name in rest)
                   for rest in parts.without)  # fmt: skip


# -- every encoder -------------------------------------------------------------------------------------------------------


def encoder_of(config: Any, modality: Modality) -> Encoder:
    torch.manual_seed(0)
    built = config.build(WIDTH, modality.state)
    assert isinstance(built, Encoder)
    return built.eval()


@pytest.mark.parametrize("config", encoders.CONFIGS, ids=named)
def test_an_encoder_gives_tokens_of_its_width_and_a_mask(config: Any) -> None:
    modality = fitted(made(config))
    encoder = encoder_of(made(config), modality)
    features = encoder(field_of(modality, samples_of(modality, 5), np.arange(5)))
    U, L, D = features.tokens_BLD.shape
    assert (U, D) == (5, WIDTH) == (5, encoder.width)
    assert L >= 1
    assert features.mask_BL.shape == (U, L)
    assert features.mask_BL.dtype == torch.bool
    assert features.mask_BL.any(1).all()
    assert torch.isfinite(features.tokens_BLD).all()
    assert isinstance(encoder.project, torch.nn.Linear)
    assert encoder.project.out_features == WIDTH


@pytest.mark.parametrize(("config", "kind"), EATEN)
def test_a_cell_is_encoded_alike_in_any_company(config: Any, kind: Any) -> None:
    modality = fitted(made(config), kind)
    encoder = encoder_of(made(config), modality)
    samples = samples_of(modality, 8)
    whole = encoder(field_of(modality, samples, np.arange(8)))
    for at in (0, 3, 7):
        alone = encoder(field_of(modality, [samples[at]], np.arange(1)))
        length = alone.tokens_BLD.shape[1]
        kept = alone.mask_BL[0]
        torch.testing.assert_close(alone.tokens_BLD[0][kept], whole.tokens_BLD[at, :length][kept], atol=1e-5, rtol=1e-4)
        assert not whole.mask_BL[at, length:].any()


@pytest.mark.parametrize(("config", "kind"), EATEN)
def test_gradients_reach_every_parameter_of_an_encoder(config: Any, kind: Any) -> None:
    modality = fitted(made(config), kind)
    encoder = encoder_of(made(config), modality)
    # A block that starts as the identity gets its first gradient after a step.
    for _ in range(2):
        encoder.zero_grad()
        features = encoder(field_of(modality, [*samples_of(modality, 12), modality.blank()], np.arange(13)))
        weights = torch.randn(features.tokens_BLD.shape, generator=torch.Generator().manual_seed(1))
        ((features.tokens_BLD * weights)[features.mask_BL] ** 2).sum().backward()
        with torch.no_grad():
            for parameter in encoder.parameters():
                assert parameter.grad is not None
                assert torch.isfinite(parameter.grad).all()
                parameter.sub_(1e-3 * parameter.grad / (parameter.grad.norm() + 1e-9))
    still = [name for name, parameter in encoder.named_parameters() if not (parameter.grad != 0).any()]  # type: ignore[union-attr]
    assert not still


@pytest.mark.parametrize("config", encoders.CONFIGS, ids=named)
def test_an_encoder_s_weights_survive_a_round_trip(config: Any) -> None:
    modality = fitted(made(config))
    one = encoder_of(made(config), modality)
    torch.manual_seed(99)
    two = made(config).build(WIDTH, json.loads(json.dumps(modality.state))).eval()
    assert two.load_state_dict(one.state_dict(), strict=True).missing_keys == []
    field = field_of(modality, samples_of(modality, 4), np.arange(4))
    assert torch.equal(one(field).tokens_BLD, two(field).tokens_BLD)


# -- every fusion --------------------------------------------------------------------------------------------------------

FUSED_WIDTHS = {"a": 8, "b": WIDTH, "c": 5}


def features_of(rows: int, widths: dict[str, int], seed: int = 0) -> dict[str, Features]:
    rng = torch.Generator().manual_seed(seed)
    lengths = {name: at + 2 for at, name in enumerate(widths)}  # of a single token, attention has no gradient to the query
    made = {}
    for name, width in widths.items():
        mask = torch.rand(rows, lengths[name], generator=rng) > 0.3
        mask[:, 0] = True
        made[name] = Features(torch.randn(rows, lengths[name], width, generator=rng), mask)
    return made


def fusion_of(config: Any, widths: dict[str, int]) -> fusions.Fusion:
    torch.manual_seed(0)
    return fusing(config).build(widths, WIDTH).eval()  # type: ignore[no-any-return]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_a_fusion_of_any_number_of_fields_gives_its_width(config: Any, count: int) -> None:
    widths = dict(list(FUSED_WIDTHS.items())[:count])
    fusion = fusion_of(config, widths)
    fused = fusion(features_of(6, widths))
    assert fused.tokens_BLD.shape[0] == 6
    assert fused.tokens_BLD.shape[2] == fusion.width_out
    assert fused.mask_BL.shape == fused.tokens_BLD.shape[:2]
    assert torch.isfinite(fused.tokens_BLD).all()


@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_what_a_masked_token_holds_leaves_no_trace_in_a_fusion(config: Any) -> None:
    fusion = fusion_of(config, FUSED_WIDTHS)
    features = features_of(6, FUSED_WIDTHS)
    features["b"] = Features(features["b"].tokens_BLD, features["b"].mask_BL & (torch.arange(6) != 2).unsqueeze(1))
    dirty = {
        name: Features(torch.where(one.mask_BL.unsqueeze(-1), one.tokens_BLD, torch.full_like(one.tokens_BLD, float("nan"))), one.mask_BL)
        for name, one in features.items()
    }
    assert torch.equal(fusion(features).tokens_BLD, fusion(dirty).tokens_BLD)


@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_an_absent_field_changes_nothing_for_the_others_and_an_empty_row_is_finite(config: Any) -> None:
    fusion = fusion_of(config, FUSED_WIDTHS)
    features = features_of(6, FUSED_WIDTHS)
    hidden = {name: Features(one.tokens_BLD, one.mask_BL & (torch.arange(6) != 2).unsqueeze(1)) for name, one in features.items()}
    fused, without = fusion(features).tokens_BLD, fusion({**features, "b": hidden["b"]}).tokens_BLD
    assert torch.equal(without[[0, 1, 3, 4, 5]], fused[[0, 1, 3, 4, 5]])
    assert not torch.equal(without[2], fused[2])
    other = features_of(6, FUSED_WIDTHS, seed=5)["b"]
    masked = Features(other.tokens_BLD, hidden["b"].mask_BL[:, : other.mask_BL.shape[1]])
    assert torch.equal(fusion({**features, "b": masked}).tokens_BLD[2], without[2])
    empty = fusion(hidden).tokens_BLD[2]
    assert torch.isfinite(empty).all()
    again = fusion({name: Features(one.tokens_BLD.flip(0), hidden[name].mask_BL) for name, one in hidden.items()}).tokens_BLD[2]
    torch.testing.assert_close(empty, again)


@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_gradients_reach_every_parameter_of_a_fusion_and_weights_survive(config: Any) -> None:
    fusion = fusion_of(config, FUSED_WIDTHS)
    given = features_of(6, FUSED_WIDTHS)
    for one in given.values():
        one.tokens_BLD.requires_grad_(True)
    (fusion(given).tokens_BLD ** 3).sum().backward()
    for one in given.values():
        assert one.tokens_BLD.grad is not None
        assert (one.tokens_BLD.grad[one.mask_BL] != 0).any(-1).all()
        assert (one.tokens_BLD.grad[~one.mask_BL] == 0).all()
    assert not [name for name, parameter in fusion.named_parameters() if parameter.grad is None or not (parameter.grad != 0).any()]
    other = fusing(config).build(FUSED_WIDTHS, WIDTH).eval()
    other.load_state_dict(fusion.state_dict())
    features = features_of(3, FUSED_WIDTHS)
    assert torch.equal(fusion(features).tokens_BLD, other(features).tokens_BLD)


class Flat(torch.nn.Module):
    """A fusion called as an exporter calls it: tokens and masks in order."""

    def __init__(self, fusion: fusions.Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, *flat: torch.Tensor) -> torch.Tensor:
        pairs = zip(FUSED_WIDTHS, flat[::2], flat[1::2], strict=True)
        return self.fusion({name: Features(tokens, mask) for name, tokens, mask in pairs}).tokens_BLD


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_a_fusion_is_exported_for_any_count_of_rows(config: Any) -> None:
    flat = Flat(fusion_of(config, FUSED_WIDTHS)).eval()
    few, many = ([part for one in features_of(rows, FUSED_WIDTHS).values() for part in (one.tokens_BLD, one.mask_BL)] for rows in (4, 9))
    rows = torch.export.Dim("rows", min=2, max=64)
    exported = torch.export.export(flat, tuple(few), dynamic_shapes={"flat": tuple({0: rows} for _ in few)})
    torch.testing.assert_close(exported.module()(*many), flat(*many))


# -- every task ----------------------------------------------------------------------------------------------------------

TARGETS: dict[str, list[Any]] = {
    "binary": ["no", "yes"] * 20,
    "multiclass": ["a", "b", "c", "d"] * 10,
    "multilabel": ["a;b", "b", ";", "c;a"] * 10,
    "answers": [["a", "a", "b"], ["b", "c", "c"], ["a", "c"], ["d", "d"]] * 10,
    "regression": list(range(40)),
}


def targets_of(config: Any) -> list[Any]:
    """Forty cells of the kind of target; a kind that is not in the table reads classes or numbers."""
    return TARGETS.get(config.model_fields["kind"].default, TARGETS["multiclass" if config.task().has_classes else "regression"])


def task_of(config: Any) -> Task:
    made = defaults(config)
    return made.task()(made, made.task().fit(made, targets_of(config), "here"))  # type: ignore[no-any-return]


@pytest.mark.parametrize("config", tasks.CONFIGS, ids=named)
def test_a_task_goes_from_cells_to_answers_and_back(config: Any) -> None:
    task = task_of(config)
    state = json.loads(json.dumps(task.state))
    task = type(task)(task.config, state)
    target = np.stack([task.encode(cell) for cell in targets_of(config)])
    assert target.dtype == np.float32
    assert target.shape == (40, task.target_width)
    logits = torch.randn(40, task.outputs, generator=torch.Generator().manual_seed(0), requires_grad=True)
    task.losses(logits, torch.from_numpy(target)).sum().backward()
    assert logits.grad is not None
    assert (logits.grad != 0).all(1).all()
    scores = task.scores(logits.detach()).numpy()
    assert len(scores) == 40 == len(task.values(scores))
    if task.classes is not None:
        assert scores.shape[1] == len(task.classes)
        assert ((scores >= 0) & (scores <= 1)).all()
        for label in range(len(task.classes)):
            is_N, is_not_N = (torch.exp(logs).numpy() for logs in task.log_chances(logits.detach(), label))
            np.testing.assert_allclose(is_N, scores[:, label], atol=1e-6)
            np.testing.assert_allclose(is_N + is_not_N, 1, atol=1e-6)
            sure = torch.cat(task.log_chances(1e4 * logits.detach().double(), label))
            assert torch.isfinite(sure).all()
    metrics, _ = task.measure(target, scores)
    assert list(metrics) == list(task.metric_names)
    assert task.default_metric in metrics
    assert np.isfinite(task.monitor(metrics))
    assert task.describe()


# -- models of every entry -----------------------------------------------------------------------------------------------


def second_task(fusion: Any) -> Any:
    """A number, where the fusion's votes can be of one."""
    refused = tasks.RULES[fusion.voting].refusal(tasks.Regression)
    return tasks.BinaryConfig if refused else tasks.RegressionConfig


def model_of(encoder: Any, fusion: Any) -> tuple[MultiModalModel, dict[str, Modality]]:
    """The entry's field beside another one, two tasks, votes."""
    beside = encoders.TabularConfig(hidden=16) if encoder.form != "columns" else encoders.BagConfig(buckets=64)
    read = {"it": fitted(encoder), "beside": fitted(beside)}
    config = ModelConfig(width=WIDTH, encoders={"it": encoder, "beside": beside}, fusion=fusion, dropout=0.1)
    torch.manual_seed(0)
    made = {"y": task_of(tasks.MulticlassConfig), "z": task_of(second_task(fusion))}
    model = build(config, {name: modality.state for name, modality in read.items()}, made)
    with torch.no_grad():
        model.vote_weights_TV.copy_(torch.tensor([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]])[:, : model.vote_weights_TV.shape[1]])
    return model, read


def window_of(read: dict[str, Modality], ids: list[int]) -> Window:
    """Rows by number: every fifth lacks the first field, every seventh the second; row 35 lacks both."""
    samples: dict[str, Any] = {}
    index: dict[str, Any] = {}
    for name, step in (("it", 5), ("beside", 7)):
        samples[name], index[name] = [], np.full(len(ids), -1, np.int64)
        for at, number in enumerate(ids):
            if number % step:
                index[name][at] = len(samples[name])
                samples[name].append(read[name].read(cell_of(read[name].kind, number)))
    return Window(np.arange(len(ids)), samples, index)


ENTRIES: list[tuple[Any, Any]] = [(config, fusions.LowRankConfig()) for config in encoders.CONFIGS] + [
    (encoders.TextTransformerConfig, config()) for config in fusions.CONFIGS
]


@pytest.mark.parametrize(("encoder", "fusion"), ENTRIES, ids=lambda value: named(value if isinstance(value, type) else type(value)))
def test_answers_are_equal_to_the_bit_whatever_rows_stand_beside(encoder: Any, fusion: Any) -> None:
    model, read = model_of(made(encoder), fusion)
    rng = np.random.default_rng(0)
    everyone = list(range(70))
    whole = answers([model], read, window_of(read, everyone), represent=True)[0][0]
    assert whole.fused_ND is not None
    assert np.isfinite(whole.logits["y"]).all()
    for ids in ([int(at) for at in rng.permutation(everyone)], [3], [35], [0, 69], [at for at in everyone if at % 4], everyone[::-1][:33]):
        part = answers([model], read, window_of(read, ids), represent=True)[0][0]
        for task in ("y", "z"):
            np.testing.assert_array_equal(part.logits[task], whole.logits[task][ids])
            for voter, votes in part.votes[task].items():
                np.testing.assert_array_equal(votes, whole.votes[task][voter][ids])
        np.testing.assert_array_equal(part.fused_ND, whole.fused_ND[ids])
    assert len(everyone) < WINDOW


@pytest.mark.parametrize("encoder", encoders.CONFIGS, ids=named)
def test_the_server_gives_the_same_bits_on_one_core_and_on_several(encoder: Any) -> None:
    model, read = model_of(made(encoder), fusions.LowRankConfig())
    model.eval()  # as every model that was loaded

    def work(numbers: Any) -> list[list[float]]:
        assert torch.get_num_threads() == 1
        logits = answers([model], read, window_of(read, list(numbers)))[0][0].logits
        return np.concatenate([logits["y"], logits["z"]], 1).tolist()  # type: ignore[no-any-return]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = work(range(70))
        for workers in (1, 2):
            torch.set_num_threads(2)
            batcher = Batcher(1_000, workers, one_core)
            blocks = batcher.submit("a", work, range(64))
            found = [answer for future in blocks for answer in future.result()]
            for at in range(64, 70):
                (alone,) = batcher.submit("a", work, [at])
                found += alone.result()
            batcher.stop()
            assert found == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("encoder", encoders.CONFIGS, ids=named)
def test_members_in_a_pool_of_threads_give_the_same_bits(encoder: Any) -> None:
    (first, read), (second, _) = (model_of(made(encoder), fusions.LowRankConfig()) for _ in range(2))
    with torch.no_grad():
        for value in second.parameters():
            value.mul_(1.5)
    members = [first.eval(), second.eval(), first]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = answers(members, read, window_of(read, list(range(70))))
        torch.set_num_threads(2)
        with ThreadPoolExecutor(2, initializer=one_core) as pool:
            found = answers(members, read, window_of(read, list(range(70))), each=pool.map)
    finally:
        torch.set_num_threads(before)
    for (one,), (other,) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.logits["y"], other.logits["y"])
    assert not np.array_equal(found[0][0].logits["y"], found[1][0].logits["y"])


@pytest.mark.parametrize(("encoder", "fusion"), ENTRIES, ids=lambda value: named(value if isinstance(value, type) else type(value)))
def test_answers_in_blocks_without_padding_are_equal_within_rounding(encoder: Any, fusion: Any) -> None:
    model, read = model_of(made(encoder), fusion)
    seen: list[int] = []
    for part in model.encoders:
        part.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0].present_B)))
    for ids in ([3], [5, 1, 2], list(range(40))):
        window = window_of(read, ids)
        exact = answers([model], read, window, represent=True)[0][0]
        assert set(seen) == {BLOCK}
        seen.clear()
        quick = answers([model], read, window, represent=True, exact=False)[0][0]
        assert max(seen) <= len(ids)
        seen.clear()
        assert exact.fused_ND is not None
        assert quick.fused_ND is not None
        np.testing.assert_allclose(quick.fused_ND, exact.fused_ND, rtol=1e-5, atol=1e-5)
        for task in ("y", "z"):
            np.testing.assert_allclose(quick.logits[task], exact.logits[task], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("encoder", "fusion"), ENTRIES, ids=lambda value: named(value if isinstance(value, type) else type(value)))
def test_hiding_a_field_is_lacking_it(encoder: Any, fusion: Any) -> None:
    model, read = model_of(made(encoder), fusion)
    window = window_of(read, list(range(1, 20)))
    hidden = answers([model], read, window, [frozenset(["it"]), frozenset(["it", "beside"])])[0]
    lacking = Window(window.rows, {"it": [], "beside": window.samples["beside"]}, {**window.index, "it": np.full(19, -1)})
    alone = answers([model], read, lacking)[0][0]
    np.testing.assert_array_equal(hidden[0].logits["y"], alone.logits["y"])
    nothing = hidden[1].logits["y"]
    assert np.isfinite(nothing).all()
    assert (nothing == nothing[0]).all(), "a row with no field at all gets a constant answer"


@pytest.mark.parametrize("missing", ["nothing", "token"])
@pytest.mark.parametrize("config", fusions.CONFIGS, ids=named)
def test_a_model_answers_with_an_output_and_gradients_reach_all_of_it(config: Any, missing: Any) -> None:
    small = encoders.TextTransformerConfig(hidden=16, heads=2, depth=1)  # several tokens: of a single one, a query has no gradient
    encoder = {"a": small, "b": small}
    read = {name: fitted(one) for name, one in encoder.items()}
    model = build(
        ModelConfig(width=WIDTH, encoders=encoder, fusion=fusing(config), missing=missing),
        {name: modality.state for name, modality in read.items()},
        {"y": task_of(tasks.MulticlassConfig)},
    )
    present = torch.tensor([True, True, False, True, True, False])
    fields = [field_of(read[name], samples_of(read[name], 6), np.arange(6)) for name in encoder]
    fields[0] = Field(fields[0].values, present)
    output = model(*fields)
    assert isinstance(output, Output)
    assert output.logits["y"].shape == (6, 4)
    assert set(output.votes["y"]) == ({"", "a", "b"} if model.rules[0].fused else {"a", "b"})
    assert output.fused_BD.shape == (6, model.fusion.width_out)
    sum((vote**2).sum() for vote in output.votes["y"].values()).backward()  # type: ignore[union-attr]
    silent = [name for name, parameter in model.named_parameters() if parameter.grad is None or not (parameter.grad != 0).any()]
    assert [name for name in silent if "missing_KD" not in name and "embed" not in name and name != "missing_FD"] == []
    by_name = model(b=fields[1], a=fields[0])
    assert by_name.logits["y"].shape == (6, 4)


@pytest.mark.parametrize(("encoder", "kind"), EATEN)
def test_a_state_that_was_altered_is_refused_or_still_reads(encoder: Any, kind: Any) -> None:
    """Whatever stands in a bundle's facts: ``check`` refuses it, or a blank cell and a real one go through as before."""
    modality = fitted(made(encoder), kind)
    modality.check()
    refused = 0
    for name, value in modality.state.items():
        others: list[Any] = [None, -1, 0, 10**9, "x", [], {}, float("nan"), [value], True]
        for other in others:
            altered = type(modality)(modality.config, {**modality.state, name: other}, Roots())
            try:
                altered.check()
            except (ArithmeticError, AttributeError, ConfigError, LookupError, TypeError, ValueError):
                refused += 1
                continue
            sample = altered.read(cell_of(modality.kind, 0))
            altered.collate([sample, altered.blank()], altered.geometry(sample))
    assert refused >= 5 * len(modality.state)
