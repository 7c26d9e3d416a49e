"""Each fusion against a value worked out by hand, and what it refuses. What holds for all of them is in test_contracts.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

import polymodal as pm
from polymodal import Experiment, MultiModalModel, fusions
from polymodal.errors import ConfigError
from polymodal.flow import Features, Output
from polymodal.fusions.bottleneck import BottleneckConfig
from polymodal.fusions.cross_attention import CrossAttentionConfig
from polymodal.fusions.film import FiLMConfig
from polymodal.fusions.gated import GatedConfig
from polymodal.fusions.mixture import MixtureConfig
from polymodal.fusions.perceiver import PerceiverConfig
from polymodal.fusions.tensor import TensorConfig
from polymodal.tasks import RULES, BinaryConfig, MulticlassConfig, RegressionConfig
from polymodal.training.objective import Objective


def vectors(*values: list[float] | None) -> dict[str, Features]:
    """One row: a vector a field, None = missing."""
    width = len(next(value for value in values if value is not None))
    return {
        name: Features.vector(torch.tensor([value if value is not None else [math.nan] * width]), torch.tensor([value is not None]))
        for name, value in zip("abcdefg", values, strict=False)
    }


def built(config: Any, fields: int, width: int = 2) -> Any:
    torch.manual_seed(0)
    return config.build(dict.fromkeys("abcdefg"[:fields], width), width).eval()


@torch.no_grad()
def set_all(layers: Any, weight: Tensor | float, bias: Tensor | float = 0.0) -> None:
    for layer in layers:
        layer.weight.copy_(torch.as_tensor(weight).expand_as(layer.weight))
        layer.bias.copy_(torch.as_tensor(bias).expand_as(layer.bias))


def of(fusion: nn.Module, features: dict[str, Features]) -> Tensor:
    fused = fusion(features)
    return fused.tokens_BLD.mean(1)[0]  # type: ignore[no-any-return]


def near(found: Tensor, expected: Any, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found.detach(), torch.as_tensor(expected), atol=atol, rtol=1e-5)


# -- vectors ---------------------------------------------------------------------------------------------------------------


def test_gated_adds_what_its_gates_let_through() -> None:
    fusion = built(GatedConfig(), 2)
    set_all(fusion.say, torch.eye(2))
    set_all([fusion.gates], 0.0, torch.tensor([0.0, 0.0, math.log(3), math.log(3)]))
    near(of(fusion, vectors([1.0, -1.0], [2.0, 0.0])), [0.5 * math.tanh(1) + 0.75 * math.tanh(2), -0.5 * math.tanh(1)])
    near(of(fusion, vectors(None, [2.0, 0.0])), [0.75 * math.tanh(2), 0.0])
    near(of(fusion, vectors([0.0, 0.0], None)), [0.0, 0.0])
    set_all([fusion.gates], torch.tensor([[0.0, 0, 1, 0]] + [[0.0] * 4] * 3))
    near(of(fusion, vectors([1.0, 1.0], [2.0, 0.0]))[0], 1 / (1 + math.exp(-2)) * math.tanh(1) + 0.5 * math.tanh(2))


def test_tensor_holds_every_product_and_a_missing_field_leaves_those_of_the_others() -> None:
    fusion = built(TensorConfig(hidden=2), 2)
    set_all(fusion.project, torch.eye(2))
    a, b = [2.0, 3.0], [5.0, 7.0]
    assert fusion.products(vectors(a, b))[0].tolist() == [1, 5, 7, 2, 10, 14, 3, 15, 21]
    assert fusion.products(vectors(None, b))[0].tolist() == [1, 5, 7, 0, 0, 0, 0, 0, 0]
    assert fusion.products(vectors(a, None))[0].tolist() == [1, 0, 0, 2, 0, 0, 3, 0, 0]
    set_all([fusion.read[0]], 0.1, 0.5)
    near(of(fusion, vectors(a, b)), gelu(torch.tensor([0.1 * 78 + 0.5] * 2)))


@pytest.mark.parametrize(("fields", "hidden", "mend"), [(5, 16, "lower it to 9 or less"), (3, 1_024, "lower it to 49 or less"), (18, 1, "use kind: lowrank")])  # fmt: skip
def test_a_tensor_that_explodes_is_refused_with_its_size(fields: int, hidden: int, mend: str) -> None:
    names = [f"f{at}" for at in range(fields)]
    with pytest.raises(ConfigError, match=rf"hidden: {fields} fields of {hidden} .* {(hidden + 1) ** fields:,} products .*{mend}"):
        TensorConfig(hidden=hidden).build(dict.fromkeys(names, 8), 8)
    with pytest.raises(ConfigError, match=r"10\^3011 products"):
        TensorConfig(hidden=1_024).check(["f"] * 1_000, 8)


def normed(first: float, second: float) -> tuple[float, float]:
    """Two numbers, as a layer norm leaves them."""
    return (1.0, -1.0) if first > second else (-1.0, 1.0)


def test_film_scales_and_shifts_one_field_by_what_another_says() -> None:
    fusion = built(FiLMConfig(condition="b"), 2)
    set_all(fusion.project, torch.eye(2))
    (modulate,) = fusion.modulate
    # gamma = [b0, 0], beta = [0, b1]
    set_all([modulate], torch.tensor([[1.0, 0], [0, 0], [0, 0], [0, 1.0]]))
    # a and b are normed to [1, -1] and [-1, 1]: gamma = [-1, 0], beta = [0, 1].
    near(of(fusion, vectors([9.0, 4.0], [3.0, 5.0])), [0.0, 0.0, -1.0, 1.0], atol=1e-4)
    # b to [1, -1]: gamma = [1, 0], beta = [0, -1].
    expected = gelu(torch.tensor([2.0, -2.0]))
    near(of(fusion, vectors([9.0, 4.0], [5.0, 3.0])), [*expected.tolist(), 1.0, -1.0], atol=1e-4)
    unmodulated = gelu(torch.tensor([1.0, -1.0]))
    near(of(fusion, vectors([9.0, 4.0], None)), [*unmodulated.tolist(), 0.0, 0.0], atol=1e-4)
    near(of(fusion, vectors(None, [5.0, 3.0])), [0.0, 0.0, 1.0, -1.0], atol=1e-4)


def test_film_without_a_direction_sees_each_field_in_the_light_of_all_others() -> None:
    fusion = built(FiLMConfig(), 3)
    set_all(fusion.project, torch.eye(2))
    set_all(fusion.modulate, torch.tensor([[1.0, 0], [0, 0], [0, 0], [0, 0]]), torch.tensor([0.5, 0, 0, 0]))
    up, down = [2.0, 1.0], [1.0, 2.0]  # normed to [1, -1] and [-1, 1]
    found = of(fusion, vectors(up, up, down))
    first = gelu(torch.tensor([1 + 0.5 + 1 - 1, 1 + 0.5 + 1 - 1, -(1 + 0.5 + 1 + 1)]))
    near(found[::2], first, atol=1e-4)
    near(of(fusion, vectors(up, up, None))[0], gelu(torch.tensor(1 + 0.5 + 1.0)), atol=1e-4)


def test_film_names_the_fields_when_its_condition_is_none_of_them() -> None:
    with pytest.raises(ConfigError, match="condition: 'titel' is not a field; expected one of photo, title, or null; did you mean 'title'"):
        experiment_of({"kind": "film", "condition": "titel"})
    alone = FiLMConfig(condition="title").build({"photo": 3}, 4)
    assert alone({"photo": Features.vector(torch.randn(2, 3))}).tokens_BLD.shape == (2, 1, 4)


def test_a_mixture_shares_among_the_fields_that_are_there_and_the_shared_expert() -> None:
    fusion = built(MixtureConfig(), 2)
    set_all([expert[0] for expert in fusion.experts], 0.0)
    for at, said in enumerate((2.0, 4.0, 10.0)):
        set_all([fusion.experts[at][3]], 0.0, said)
    set_all([fusion.gate], 0.0, torch.tensor([math.log(1), math.log(2), math.log(1)]))
    near(of(fusion, vectors([1.0, 1.0], [1.0, 1.0])), [(2 + 2 * 4 + 10) / 4] * 2)
    near(of(fusion, vectors([1.0, 1.0], None)), [(2 + 10) / 2] * 2)
    near(of(fusion, vectors([0.0, 0.0], None)), [6.0] * 2)


# -- tokens ----------------------------------------------------------------------------------------------------------------


def tokens(*fields: list[list[float]]) -> dict[str, Features]:
    """One row: some tokens a field."""
    return {
        name: Features(torch.tensor([field]), torch.ones(1, len(field), dtype=torch.bool))
        for name, field in zip("abc", fields, strict=False)
    }


@torch.no_grad()
def looking(block: Any) -> None:
    """Attention that gives what it looks at, all of it alike; a perceptron that adds nothing."""
    width = block.norm_1.weight.shape[0]
    set_all([block.attention.query, block.mlp[3]], 0.0)
    set_all([block.attention.key_value], torch.cat([torch.zeros(width, width), torch.eye(width)]))
    set_all([block.attention.out], torch.eye(width))


def test_cross_attention_adds_to_a_field_what_it_sees_in_each_other() -> None:
    fusion = built(CrossAttentionConfig(depth=1, heads=1), 3)
    set_all(fusion.project, torch.eye(2))
    for crossings in fusion.cross:
        for direction in crossings:
            looking(direction[0])
    fusion.streams = nn.ModuleList(nn.Identity() for _ in range(3))
    given = tokens([[4.0, 0.0]], [[1.0, 0.0], [5.0, 2.0]], [[0.0, 1.0], [0.0, 2.0], [2.0, 0.0]])
    # The mean of b's normed tokens is [1, -1], that of c's [-1/3, 1/3]; a sees both, and takes their mean.
    near(of(fusion, given)[:2], [4 + (1 - 1 / 3) / 2, -(1 - 1 / 3) / 2], atol=1e-4)
    given["c"] = Features(given["c"].tokens_BLD, torch.zeros(1, 3, dtype=torch.bool))
    near(of(fusion, given), [5.0, -1.0, 3.0 + 1.0, 1.0 - 1.0, 0.0, 0.0], atol=1e-4)
    given["b"] = Features(given["b"].tokens_BLD, torch.zeros(1, 2, dtype=torch.bool))
    near(of(fusion, given)[:2], [4.0, 0.0])


def test_cross_attention_of_many_fields_is_refused_with_its_count_of_pairs() -> None:
    CrossAttentionConfig().check("abcdef", 8)
    with pytest.raises(ConfigError, match=r"cross_attention of 7 fields needs 42 transformers.*at most 30 .*use kind: bottleneck"):
        CrossAttentionConfig().build(dict.fromkeys("abcdefg", 8), 8)


def test_a_bottleneck_carries_what_one_field_knows_to_the_other_in_its_second_layer() -> None:
    fusion = built(BottleneckConfig(tokens=1, depth=2, heads=1), 2)
    set_all(fusion.project, torch.eye(2))
    for layer in fusion.layers:
        for block in layer:
            looking(block)
    fusion.norm = nn.Identity()
    with torch.no_grad():
        fusion.class_FD.zero_()
        fusion.shared_ND.zero_()
    up, down = [[3.0, 1.0]], [[1.0, 3.0]]  # normed to [1, -1] and [-1, 1]; what is zero is normed to zero
    # Layer 1: class and shared token see (0 + 0 + [1, -1]) / 3 in a, and minus that in b; the shared one is their mean, nothing.
    # Layer 2: a's class token is now [1/3, -1/3], normed to [1, -1]; it sees ([1, -1] + [1, -1] + 0) / 3 more; b's the opposite.
    near(of(fusion, tokens(up, down)), [0.0, 0.0], atol=1e-3)
    # Of two that agree the shared token is [1/3, -1/3] after layer 1: everything that is seen in layer 2 is [1, -1].
    # Class and shared token come to the same, and are added.
    near(of(fusion, tokens(up, up)), [2 * (1 / 3 + 1), -2 * (1 / 3 + 1)], atol=1e-3)
    alone = tokens(up, down)
    alone["b"] = Features(alone["b"].tokens_BLD, torch.zeros(1, 1, dtype=torch.bool))
    near(of(fusion, alone), [8 / 3, -8 / 3], atol=1e-3)


def test_a_perceiver_s_latents_see_all_tokens_alike_whatever_field_they_are_of() -> None:
    fusion = built(PerceiverConfig(latents=3, depth=1, heads=1), 2)
    set_all(fusion.project, torch.eye(2))
    looking(fusion.look[0])
    looking(fusion.think[0])
    set_all([fusion.think[0].attention.out], 0.0)
    fusion.norm = nn.Identity()
    with torch.no_grad():
        fusion.name_FD.zero_()
        fusion.latents_ND.copy_(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 6.0]]))
    given = tokens([[1.0, 0.0]], [[2.0, 0.0], [9.0, 5.0], [0.0, 1.0]])  # normed: three times [1, -1], once [-1, 1]
    near(of(fusion, given), [1.0 + 0.5, 2.0 - 0.5], atol=1e-4)
    given["b"] = Features(given["b"].tokens_BLD, torch.tensor([[False, False, True]]))
    near(of(fusion, given), [1.0, 2.0], atol=1e-4)
    with torch.no_grad():
        fusion.name_FD[0] = torch.tensor([0.0, 5.0])  # whose token it is changes what it says
    near(of(fusion, given), [1.0 - 1.0, 2.0 + 1.0], atol=1e-4)


# -- votes -----------------------------------------------------------------------------------------------------------------


def experiment_of(fusion: dict[str, Any], task: str = "binary", **model: Any) -> Experiment:
    return Experiment.of(
        {
            "fields": {"photo": {"kind": "image", "column": "photo"}, "title": {"kind": "text", "column": "title"}},
            "tasks": {"y": {"kind": task, "column": "y"}},
            "model": {"fusion": fusion, **model},
        }
    )


def late(rule: str, **settings: Any) -> MultiModalModel:
    """Of two fields of three numbers, two tasks; each head says a third number of its own."""
    torch.manual_seed(0)
    kind = fusions.KINDS.index("evidential" if rule == "evidential" else "late")
    config = fusions.CONFIGS[kind](**({} if rule == "evidential" else {"rule": rule}))
    model = MultiModalModel(a=nn.Identity(), b=nn.Identity(), fusion=config, **{"heads": {"y": 3, "z": 1}, **settings})
    model(torch.zeros(1, 3), torch.zeros(1, 3))
    return model.eval()


@pytest.mark.parametrize("rule", ["mean", "learned", "uncertainty"])
def test_late_is_the_mean_of_the_fields_that_are_there_before_weights_are_fitted(rule: str) -> None:
    model = late(rule)
    assert len(model.heads) == 0, "no head reads a fused representation"
    of_y, of_z = (list(heads.children()) for heads in model.vote_heads)
    for at in range(2):
        set_all([of_y[at]], torch.eye(3))
        set_all([of_z[at]], torch.tensor([[1.0, 1.0, 1.0]]), 5.0)
    a, b = torch.tensor([[1.0, 2.0, 3.0]] * 4), torch.tensor([[5.0, 0.0, 1.0]] * 4)
    there = {"a": torch.tensor([True, True, False, False]), "b": torch.tensor([True, False, True, False])}
    features = {"a": Features.vector(a, there["a"]), "b": Features.vector(b, there["b"])}
    output = model.answer(features)
    assert isinstance(output, Output)
    assert set(output.votes["y"]) == {"a", "b"}
    near(output.logits["y"], [[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [5.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    near(output.logits["z"], [[11.0], [11.0], [11.0], [5.0]])
    assert output.fused_BD.shape == (4, 6)
    with torch.no_grad():
        model.vote_weights_TV.copy_(torch.tensor([[0.5, 1.5], [0.0, 1.0]]))
    weighed = model.answer(features)
    assert isinstance(weighed, Output)
    near(weighed.logits["y"], [[8.0, 1.0, 3.0], [2.0, 4.0, 6.0], [10.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    near(weighed.logits["z"], [[11.0], [11.0], [11.0], [5.0]])


def test_evidence_is_combined_by_dempster_s_rule() -> None:
    model = late("evidential", heads={"y": 3, "z": 1})
    e_a, e_b = torch.tensor([4.0, 1.0, 0.0]), torch.tensor([2.0, 0.0, 6.0])
    votes = {name: torch.where(e > 0, torch.log(torch.expm1(e)), -40.0).unsqueeze(0) for name, e in (("a", e_a), ("b", e_b))}

    def answer(a: bool, b: bool) -> Tensor:
        return model.rules[0].pool(votes, {"a": torch.tensor([a]), "b": torch.tensor([b])}, torch.ones(2)).softmax(-1)[0]

    # The rule as the paper writes it, of beliefs and uncertainties.
    (belief_a, u_a), (belief_b, u_b) = ((e / (e.sum() + 3), 3 / (e.sum() + 3)) for e in (e_a, e_b))
    conflict = belief_a.sum() * belief_b.sum() - (belief_a * belief_b).sum()
    belief = (belief_a * belief_b + belief_a * u_b + belief_b * u_a) / (1 - conflict)
    u = u_a * u_b / (1 - conflict)
    alpha = belief * 3 / u + 1
    near(answer(True, True), alpha / alpha.sum())
    near(answer(True, False), torch.tensor([5.0, 2.0, 1.0]) / 8)
    near(answer(False, True), torch.tensor([3.0, 1.0, 7.0]) / 11)
    near(answer(False, False), [1 / 3] * 3)
    two = model.rules[1]
    assert two.width == 2
    vote = {"a": torch.log(torch.expm1(torch.tensor([[1.0, 5.0]])))}
    near(two.pool(vote, {"a": torch.tensor([True])}, torch.ones(1)).sigmoid(), [[6 / 8]])
    huge = {"a": torch.tensor([[1e30, 0.0, 0.0]]), "b": torch.tensor([[0.0, 1e30, 0.0]])}
    everyone = {"a": torch.tensor([True]), "b": torch.tensor([True])}
    assert torch.isfinite(model.rules[0].pool(huge, everyone, torch.ones(2))).all()


def test_the_loss_of_evidence_is_its_expected_cross_entropy_and_the_kl_of_what_is_wrong() -> None:
    config = MulticlassConfig(column="y", class_weight={"b": 2.0})
    task = config.task()(config, config.task().fit(config, ["a", "b", "c"], "here"))
    rule = RULES["evidential"](3)
    evidence = torch.tensor([[1.0, 2.0, 3.0]])
    votes, there = {"a": torch.log(torch.expm1(evidence))}, {"a": torch.tensor([True])}
    alpha = evidence[0] + 1
    expected = torch.digamma(alpha.sum()) - torch.digamma(alpha[1])
    wrong = torch.distributions.Dirichlet(torch.tensor([2.0, 1.0, 4.0]))
    kl = torch.distributions.kl_divergence(wrong, torch.distributions.Dirichlet(torch.ones(3)))
    target = torch.tensor([[1.0]])
    for done, share in ((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)):
        losses = rule.losses(task, votes, there, target, done)
        assert set(losses) == {"", "a"}
        near(losses["a"], [2 * float(expected + share * kl)], atol=1e-4)
        near(losses[""], losses["a"].detach())
    assert torch.isfinite(rule.losses(task, votes, there, torch.tensor([[math.nan]]), 1.0)["a"]).all()
    huge = torch.tensor([[1e20, -1e20, 0.0]], requires_grad=True)
    losses = rule.losses(task, {"a": huge}, there, target, 1.0)
    losses["a"].sum().backward()
    assert torch.isfinite(losses["a"]).all()
    assert torch.isfinite(huge.grad).all()  # type: ignore[arg-type]


def test_single_field_votes_have_their_whole_loss_where_they_are_the_answer() -> None:
    from polymodal.flow import Batch, Field

    config = RegressionConfig(column="y")
    task = config.task()(config, config.task().fit(config, [0.0, 2.0], "here"))
    there = {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])}
    batch = Batch({name: Field({}, present) for name, present in there.items()}, {"y": torch.zeros(2, 1)}, None, (1, 2))
    votes = {"a": torch.tensor([[1.0], [3.0]]), "b": torch.tensor([[2.0], [9.0]])}
    objective = Objective({"y": task}, ["a", "b"], 0.1, {"y": RULES["mean"](1)})
    output = Output({"y": torch.zeros(2, 1)}, torch.zeros(2, 1), there, {"y": votes})
    assert float(objective.loss(output, batch, objective.counts([batch]))) == pytest.approx((1 + 9) / 2 + 4)
    weighed = Objective({"y": task}, ["a", "b"], 0.1, {"y": RULES["weighed"](1)})
    output = Output({"y": torch.zeros(2, 1)}, torch.zeros(2, 1), there, {"y": {"": torch.full((2, 1), 2.0), **votes}})
    assert float(weighed.loss(output, batch, weighed.counts([batch]))) == pytest.approx(4 + 0.1 * ((1 + 9) / 2 + 4))


def number() -> Any:
    config = RegressionConfig(column="y")
    return config.task()(config, config.task().fit(config, [-1.0, 1.0], "here"))


def classes() -> Any:
    config = BinaryConfig(column="y")
    return config.task()(config, config.task().fit(config, ["a", "b"], "here"))


def test_weights_of_late_votes_for_a_number() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(500, 1))
    votes = [target + rng.normal(0, 0.5, (500, 1)), target + rng.normal(0, 1.0, (500, 1))]
    there = [np.ones(500, bool), rng.random(500) < 0.5]
    fit: Callable[[str], list[float]] = lambda rule: RULES[rule](1).fit(number(), votes, target, there)  # noqa: E731
    assert fit("mean") == [0.5, 0.5]
    for rule in ("learned", "uncertainty"):  # 1 / 0.25 against 1 / 1
        assert fit(rule) == pytest.approx([0.8, 0.2], abs=0.05)
        assert sum(fit(rule)) == pytest.approx(1.0, abs=1e-5)


def test_weights_of_late_votes_for_classes_calibrate_and_silence_noise() -> None:
    rng = np.random.default_rng(0)
    sure = rng.normal(0, 2, (2_000, 1))
    target = (rng.random((2_000, 1)) < 1 / (1 + np.exp(-sure))).astype(np.float64)
    votes, there = [4 * sure, rng.normal(0, 2, (2_000, 1))], [np.ones(2_000, bool)] * 2
    for rule in ("learned", "uncertainty"):
        weights = RULES[rule](1).fit(classes(), votes, target, there)
        assert weights[0] == pytest.approx(0.25, abs=0.03), rule
        assert weights[1] < 0.08, rule
    (alone,) = RULES["mean"](1).fit(classes(), votes[:1], target, there[:1])
    assert alone == pytest.approx(0.25, abs=0.03), "a temperature"
    first, second = RULES["mean"](1).fit(classes(), votes, target, there)
    assert first == second
    for rule in ("mean", "learned", "uncertainty"):
        assert RULES[rule](1).fit(classes(), [vote[:9] for vote in votes], target[:9], [one[:9] for one in there]) == [0.5, 0.5]


def test_evidence_is_tempered_by_one_number_for_all() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2_000)
    evidence = np.where(np.eye(2)[truth] > 0, 2.0, 0.1)  # a field that is always right, and says (3, 1.1) / 4.1
    votes, there = [np.log(np.expm1(evidence))] * 2, [np.ones(2_000, bool)] * 2
    rule = RULES["evidential"](1)
    first, second = rule.fit(classes(), votes, truth[:, None].astype(float), there)
    assert first == second > 1.5
    wrong = rule.fit(classes(), votes, rng.integers(0, 2, (2_000, 1)).astype(float), there)
    assert wrong == pytest.approx([0.0, 0.0], abs=0.1)
    assert rule.fit(classes(), [vote[:9] for vote in votes], truth[:9, None].astype(float), [one[:9] for one in there]) == [1.0, 1.0]


@pytest.mark.parametrize(("task", "said"), [("regression", "here are none"), ("multilabel", "labels do not")])
def test_evidence_of_what_is_no_class_is_refused_with_the_reason(task: str, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"tasks.y.kind: found {task} .*{said}; use model.fusion.kind: late"):
        experiment_of({"kind": "evidential"}, task)
    experiment_of({"kind": "late", "rule": "uncertainty"}, task)


@pytest.mark.parametrize("kind", ["late", "evidential"])
def test_an_answer_of_votes_wants_votes(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"model.votes: false, but the predictions of this fusion consist of votes"):
        experiment_of({"kind": kind}, votes=False)


@pytest.mark.parametrize("kind", ["attention", "cross_attention", "bottleneck", "perceiver"])
def test_heads_that_do_not_divide_the_width_are_refused_when_the_config_is_read(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"model.fusion.heads: 3 does not divide model.width = 128"):
        experiment_of({"kind": kind, "heads": 3})


# -- by hand, and whole ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", fusions.KINDS)
def test_any_two_modules_are_fused_by_hand(kind: str) -> None:
    model = MultiModalModel(nn.Linear(3, 6), nn.Linear(3, 4), fusion=kind, width=8)
    optimiser = torch.optim.Adam(model.parameters())
    answer = model(torch.randn(5, 3), torch.randn(5, 3))
    assert answer.shape == (5, 1)
    answer.sum().backward()
    optimiser.step()
    assert model.represent(torch.randn(5, 3), torch.randn(5, 3)).shape[0] == 5


@pytest.mark.parametrize("words", [("late", "rule=mean"), ("late", "rule=learned"), ("late", "rule=uncertainty"), ("evidential",)], ids=" ".join)  # fmt: skip
def test_a_table_is_trained_saved_and_answered_by_votes_alone(words: tuple[str, ...], tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = [{"word": str(rng.choice(["lemon", "tiger", "river"])), "size": float(rng.normal())} for _ in range(240)]
    for row in rows:
        row["y"] = f"{row['word'] == 'lemon'}-{row['size'] > 0}"
    kind, *settings = words
    said = [f"model.fusion.kind={kind}", *(f"model.fusion.{setting}" for setting in settings)]
    columns = {"word": "text"}
    model = pm.train(rows, *said, "training.epochs=15", "training.lr=1e-2", "data.split.folds=2", "model.width=16", columns=columns, target="y", out=tmp_path / "run")  # fmt: skip
    measured: Any = model.evaluate(rows)
    assert measured["tasks"]["y"]["accuracy"] > 0.9
    again = pm.load(tmp_path / "run")
    expected = model.predict_proba(rows)
    np.testing.assert_array_equal(again.predict_proba(rows), expected)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
    word = again.predict_proba([{**rows[0], "size": None}, {**rows[0], "size": None, "word": None}, {"word": None, "size": None}])
    assert np.isfinite(word).all()
    np.testing.assert_array_equal(word[1], word[2])
    assert again.embed(rows).shape == (240, 64)
