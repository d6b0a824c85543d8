"""Gradient routes, optimisers, the log, and a resume that cannot be told from an unbroken run."""

import csv
import multiprocessing
import random
import time
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import torch

from et_lite import runs
from et_lite.config import (
    LossConfig,
    OptimiserConfig,
    PredictorConfig,
    TrainingConfig,
    from_dict,
    preset,
    to_dict,
)
from et_lite.data import LatentStore
from et_lite.methods import build
from et_lite.runs import (
    MetricsLog,
    autocast,
    load_checkpoint,
    optimisers,
    save_checkpoint,
    step_seeds,
)
from et_lite.segments import Segmentation
from et_lite.storage import load_state, load_weights, save_state
from et_lite.training import Trainer, publish, train

NO_LOSS = LossConfig(0, 0, 0, 0, 0, 0)
NO_CLIP = OptimiserConfig(clip_norm=1e9)


def gradients(config: TrainingConfig, store: LatentStore, **weights: float) -> dict[str, float]:
    """Gradient norms of encoder, decoder and predictor after one generator step."""
    config = replace(config, loss=replace(NO_LOSS, **weights), optimiser=NO_CLIP)
    trainer = Trainer(config, store)
    trainer.step()
    parts = {name: getattr(trainer.method, name) for name in ("encoder", "decoder", "predictor")}
    return {
        name: sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None)
        for name, part in parts.items()
    }


@pytest.mark.parametrize("term", ["reconstruction", "adversarial", "feature_matching"])
def test_reconstruction_and_adversary_reach_everyone(tiny, store, term) -> None:
    assert all(norm > 0 for norm in gradients(tiny, store, **{term: 1.0}).values())


def test_divergence_reaches_the_encoder_alone(tiny, store) -> None:
    found = gradients(tiny, store, kl=1.0)
    assert found["encoder"] > 0 and found["decoder"] == found["predictor"] == 0


@pytest.mark.parametrize("term", ["rollout", "replaced"])
def test_predictor_terms_reach_the_predictor_alone(tiny, store, term) -> None:
    found = gradients(tiny, store, **{term: 1.0})
    assert found["predictor"] > 0 and found["encoder"] == found["decoder"] == 0


def test_predictor_weights_leave_the_encoders_gradient_alone(tiny, store) -> None:
    def encoder_gradient(weight: float) -> torch.Tensor:
        loss = LossConfig(rollout=weight, replaced=weight)
        trainer = Trainer(replace(tiny, loss=loss, optimiser=NO_CLIP), store)
        trainer.step()
        return torch.cat([p.grad.flatten() for p in trainer.method.encoder.parameters()])

    assert torch.equal(encoder_gradient(0.1), encoder_gradient(10.0))


def test_replaced_frames_take_no_gradient_and_anchors_take_it_through_rollouts(tiny) -> None:
    method = build(tiny)
    offsets = torch.tensor([[0, 1, 2, 0, 0, 1, 2, 3]])
    z = torch.randn(1, 8, 8, requires_grad=True)
    mixed = method.rebuild(z, [Segmentation.from_offsets(offsets[0].numpy())])
    # Look at replaced frames only: the gradient must come back through the rollouts.
    (mixed * (offsets > 0)[:, None]).square().sum().backward()
    norms = z.grad[0].abs().sum(0)
    assert (norms[offsets[0] > 0] == 0).all()
    assert (norms[[0, 4]] > 0).all() and norms[3] == 0  # frame 3 stands for itself alone


def test_discriminator_takes_no_gradient_in_the_generator_step(tiny, store) -> None:
    trainer = Trainer(tiny, store)
    seen = []
    original = trainer._generator_step

    def spied(x, result):
        before = [p.grad.clone() for p in trainer.discriminator.parameters()]
        losses = original(x, result)
        after = [p.grad for p in trainer.discriminator.parameters()]
        seen.append(all(map(torch.equal, before, after)))
        assert all(p.requires_grad for p in trainer.discriminator.parameters())
        return losses

    trainer._generator_step = spied
    trainer.step()
    assert seen == [True]


def test_discriminator_is_stepped_before_the_generator_looks_through_it(tiny, store) -> None:
    trainer = Trainer(tiny, store)
    start = [p.clone() for p in trainer.discriminator.parameters()]
    trainer._generator_step = lambda x, result: {}
    trainer.step()
    moved = [
        not torch.equal(a, b)
        for a, b in zip(start, trainer.discriminator.parameters(), strict=True)
    ]
    assert all(moved)


def test_muon_takes_the_matrices_and_adamw_the_rest(tiny) -> None:
    method = build(tiny)
    muon, adamw = optimisers(method, tiny.optimiser)
    own = [p for group in muon.param_groups for p in group["params"]]
    others = [p for group in adamw.param_groups for p in group["params"]]
    assert all(p.ndim == 2 for p in own) and all(p.ndim != 2 for p in others)
    assert len(own) + len(others) == len(list(method.parameters()))


@pytest.mark.parametrize("solver", ["greedy", "dp"])
def test_training_reduces_the_reconstruction_error(tiny, store, solver, tmp_path) -> None:
    fast = OptimiserConfig(muon_lr=0.02, adamw_lr=0.01, warmup=3, cosine=True)
    chosen = replace(tiny.selection, solver=solver)
    config = replace(tiny, selection=chosen, optimiser=fast, steps=80, batch=8)
    train(config, store, tmp_path, log_every=1)
    with open(tmp_path / "metrics.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] == "reconstruction"]
    values = [float(row["value"]) for row in rows]
    assert np.mean(values[-5:]) < 0.6 * np.mean(values[:5])


def test_targets_span_the_training_range(tiny) -> None:
    drawn = build(tiny).draw_targets(np.random.default_rng(0), 5000, 96)
    assert (drawn.min(), drawn.max()) == (48, 95)


def test_log_drops_rows_that_will_come_again(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.write(step, {"loss": step / 2})
    MetricsLog(tmp_path, 2)
    assert (tmp_path / "metrics.csv").read_text().split() == [
        "step,name,value",
        "1,loss,0.5",
        "2,loss,1",
    ]


def steps_logged(log: Path) -> int:
    """The last step in a log that may be growing."""
    lines = log.read_text().split() if log.exists() else []
    return max((int(line.split(",")[0]) for line in lines if line[0].isdigit()), default=0)


def run_training(folder: str, config: TrainingConfig, latents: str) -> None:
    torch.set_num_threads(1)
    train(config, LatentStore.load(latents), Path(folder), save_every=1, log_every=1)


def test_killed_training_resumes_bit_for_bit(tiny, store, tmp_path) -> None:
    config = replace(tiny, steps=30)
    store.save(tmp_path / "latents.safetensors")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["et_lite.training"])

    def start(folder: str) -> multiprocessing.Process:
        arguments = (str(tmp_path / folder), config, str(tmp_path / "latents.safetensors"))
        process = context.Process(target=run_training, args=arguments)
        process.start()
        return process

    whole = start("whole")
    whole.join()
    assert whole.exitcode == 0
    log, chance, kills = tmp_path / "broken" / "metrics.csv", random.Random(0), 0
    while True:
        process = start("broken")
        target = steps_logged(log) + chance.randint(1, 4)
        while process.is_alive() and steps_logged(log) < target:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))  # anywhere within a step, or while it is being saved
        process.kill()  # SIGKILL: nothing can be tidied up
        process.join()
        if process.exitcode == 0:
            break
        kills += 1
    assert kills >= 5
    states = [
        load_state(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "broken")
    ]
    flat = [dict(_leaves(state)) for state in states]
    assert flat[0].keys() == flat[1].keys()
    for name, value in flat[0].items():
        same = (
            torch.equal(value, flat[1][name]) if torch.is_tensor(value) else value == flat[1][name]
        )
        assert same, name
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "broken")]
    assert logs[0] == logs[1]
    assert not list((tmp_path / "broken").glob(".tmp-*"))  # the last start swept them up


def _leaves(value, name=""):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}/{index}")
    else:
        yield name, value


def test_checkpoint_of_another_configuration_or_data_is_refused(tiny, store, tmp_path) -> None:
    train(replace(tiny, steps=1), store, tmp_path)
    with pytest.raises(ValueError, match="another configuration"):
        train(replace(tiny, steps=1, seed=5), store, tmp_path)
    with pytest.raises(ValueError, match="other data"):
        train(replace(tiny, steps=1), store.of("music"), tmp_path)


def test_broken_weights_never_replace_a_good_checkpoint(tmp_path) -> None:
    save_checkpoint(tmp_path, {"step": 1, "method": {"w": torch.ones(2)}}, {})
    for bad in (float("nan"), float("inf")):
        state = {"step": 2, "method": {"w": torch.tensor([1.0, bad])}}
        with pytest.raises(ValueError, match="no longer finite at step 2"):
            save_checkpoint(tmp_path, state, {})
    assert load_checkpoint(tmp_path, {})["step"] == 1


def test_names_with_dots_keep_them(tiny, tmp_path) -> None:
    for name in ("et@0.5", "et@0.7"):
        publish(build(tiny), tmp_path / name, {}, "")
    assert {file.name for file in tmp_path.iterdir()} == {
        f"et@0.{n}.{kind}" for n in (5, 7) for kind in ("json", "safetensors")
    }


def test_card_is_written_where_git_is_not(tiny, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    publish(build(tiny), tmp_path / "m", {}, "")
    assert load_weights(tmp_path / "m")[1]["commit"] == "unknown"


def test_damaged_checkpoint_is_refused_in_one_sentence(tiny, store, tmp_path) -> None:
    save_state(tmp_path / "checkpoint.safetensors", {"step": 3, "nested": [torch.ones(2)]})
    assert load_state(tmp_path / "checkpoint.safetensors")["step"] == 3
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match="is not a checkpoint"):
        train(tiny, store, tmp_path)


def test_published_weights_load_again_and_a_swapped_file_is_refused(tiny, tmp_path) -> None:
    method = build(tiny)
    publish(method, tmp_path / "model", {"name": "x", "sha256": "y"}, "here")
    state, card = load_weights(tmp_path / "model")
    assert from_dict(TrainingConfig, card["config"]) == tiny
    for name, tensor in method.state_dict().items():
        assert torch.equal(state[name], tensor.half().float())
    publish(method, tmp_path / "other", {"name": "z", "sha256": "y"}, "here")
    altered = bytearray((tmp_path / "other.safetensors").read_bytes())
    altered[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(altered)
    with pytest.raises(ValueError, match="not the file its card describes"):
        load_weights(tmp_path / "model")


def test_config_survives_json_and_names_unknown_fields(tiny) -> None:
    assert from_dict(TrainingConfig, to_dict(tiny)) == tiny
    with pytest.raises(ValueError, match="'colour' is unknown to TrainingConfig"):
        from_dict(TrainingConfig, {"colour": 1})
    with pytest.raises(ValueError, match="predictor has 64 channels and the network 8"):
        build(replace(tiny, predictor=PredictorConfig()))
    with pytest.raises(ValueError, match="'huge' is not one of lite, medium, paper"):
        preset("huge")


def test_batches_need_clips_that_are_long_enough(store) -> None:
    with pytest.raises(ValueError, match="no clip has 100 latent frames"):
        store.batch(np.random.default_rng(0), torch.Generator(), 2, 100)


@pytest.mark.slow
def test_compiled_networks_train_as_they_are(tiny, store, monkeypatch) -> None:
    """As far as a compiler's graphs go; what it makes of them takes minutes and other roundings."""
    monkeypatch.setattr(
        torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="aot_eager")
    )
    monkeypatch.setattr(runs, "has_bf16", lambda kind: False)
    trainers = [Trainer(tiny, store, compiled=compiled) for compiled in (False, True)]
    for _ in range(3):
        plain, compiled = (trainer.step() for trainer in trainers)
        assert plain.keys() == compiled.keys()
        for name, loss in plain.items():
            assert compiled[name].item() == pytest.approx(loss.item(), abs=1e-4), name
    states = [trainer.method.state_dict() for trainer in trainers]
    assert states[0].keys() == states[1].keys()  # either goes on with the other's checkpoint


def test_validation_is_logged_and_changes_nothing(tiny, store, tmp_path) -> None:
    fast = OptimiserConfig(muon_lr=0.02, adamw_lr=0.01)
    config, unseen = replace(tiny, steps=50, optimiser=fast), store.of("speech")
    method = train(config, store, tmp_path / "watched", save_every=30, valid=unseen)
    alone = train(config, store, tmp_path / "alone", save_every=30)
    assert all(map(torch.equal, method.state_dict().values(), alone.state_dict().values()))
    with open(tmp_path / "watched" / "metrics.csv", newline="") as file:
        found = {(int(r["step"]), r["name"]): float(r["value"]) for r in csv.DictReader(file)}
    assert {key for key in found if "valid" in key[1]} == {
        (step, f"valid_{keep}") for step in (30, 50) for keep in ("0.5", "1")
    }
    x = unseen.batch(*step_seeds(0, 0), 32, config.frames)
    with torch.no_grad(), autocast(torch.device("cpu")):
        whole = method.decode(method.encode(x).mean)
        z = method.encode(x).mean
        cuts = [method.path(clip).at(12).segmentation for clip in z]
        rebuilt = [
            method.unpack(method.pack(clip, cut), torch.tensor(cut.lengths))
            for clip, cut in zip(z, cuts, strict=True)
        ]
        pairs = zip(rebuilt, cuts, strict=True)
        half = torch.cat([method.decode(method.mark(clip[None], [cut])) for clip, cut in pairs])
    assert found[50, "valid_1"] == pytest.approx((whole - x).square().mean().item(), rel=1e-3)
    assert found[50, "valid_0.5"] == pytest.approx((half - x).square().mean().item(), rel=1e-3)
    assert found[50, "valid_0.5"] > 1.02 * found[50, "valid_1"]


def test_validation_leaves_out_what_a_method_cannot_reach(tiny_of, store, tmp_path) -> None:
    train(replace(tiny_of("conv-downsample"), steps=1), store, tmp_path, valid=store)
    log = (tmp_path / "metrics.csv").read_text()
    assert "valid_0.5" in log and "valid_1" not in log
