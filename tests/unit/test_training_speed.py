"""The benchmark of the training step: its clock covers a step, and it changes nothing."""

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from et_lite import runs
from et_lite.data import LatentStore
from et_lite.training import Trainer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import training_speed as speed


@pytest.fixture
def small(tiny_of, monkeypatch):
    """The benchmark with tiny networks and few steps."""
    monkeypatch.setattr(speed, "configuration", lambda name, system: tiny_of(system))
    monkeypatch.setattr(speed, "WARM", dict.fromkeys(speed.WARM, 1))
    monkeypatch.setattr(speed, "STEPS", dict.fromkeys(speed.STEPS, 2))


def test_every_part_of_a_step_takes_time_and_there_is_no_other(small, store) -> None:
    cell = speed.step_by_part(store, "paper", "et-greedy")
    ways = {(part, way) for part, way, _ in cell["parts"]}
    both = {"encoder", "unroll", "decoder", "discriminator step", speed.JUDGED}
    ahead = {"batch", "rollout from every frame", "selection", "clipping", "Muon", "AdamW", "rest"}
    ahead |= {"AdamW of the discriminator"}
    back = both | {"the predictor's own losses"}
    assert {part for part, way in ways if way == "forward"} == both | ahead
    assert {part for part, way in ways if way == "backward"} == back
    taken = {(part, way): value for part, way, value in cell["parts"]}
    assert all(taken[part, "forward"] > 0 for part in both)
    assert all(taken[part, "backward"] > 0 for part in back)
    assert len(cell["watched"]) == len(cell["alone"]) == 2


def test_the_clock_is_always_in_one_part(monkeypatch) -> None:
    ticks = iter([0.0, 1.0, 3.0, 6.0, 10.0, 15.0])
    monkeypatch.setattr(speed, "now", lambda: next(ticks))
    parts = speed.Parts()  # at 0
    with parts.inside("outer"):  # from 1
        parts.timed("inner", lambda: None)()  # from 3 to 6
    parts.lap()  # outer to 10, rest to 15
    assert parts.seconds == {
        ("rest", "forward"): 1 + 5,
        ("outer", "forward"): 2 + 4,
        ("inner", "forward"): 3,
    }


def test_where_the_gradient_arrives_another_part_begins() -> None:
    parts = speed.Parts()
    x = torch.ones(2, requires_grad=True)
    with parts.inside("last", "backward"):
        inner = parts.follows(x * 2, "first", after="middle")
        parts.follows(inner * 3, "middle", after="last").sum().backward()
        assert parts.open[-1] == ("first", "backward")
        parts.open[-1] = ("other", "backward")
        parts.follows(x * 2, "first", "middle").sum().backward()
        assert parts.open[-1] == ("other", "backward")


def test_a_watched_step_is_the_same_step(small, tiny_of, store) -> None:
    trainers = [Trainer(tiny_of("et-greedy"), store) for _ in range(2)]
    before = Tensor.backward, nn.utils.clip_grad_norm_, LatentStore.batch
    with speed.watched(trainers[0]):
        watched = trainers[0].step()
    alone = trainers[1].step()
    assert all(torch.equal(watched[name], alone[name]) for name in alone)
    assert before == (Tensor.backward, nn.utils.clip_grad_norm_, LatentStore.batch)
    assert trainers[0].method.decode.__func__ is type(trainers[0].method).decode


def test_tables_hold_every_cell_and_say_where_there_is_no_bf16(small, store, monkeypatch) -> None:
    monkeypatch.setattr(runs, "has_bf16", lambda kind: False)
    made = {"commit": "here", "machine": "A machine"}
    wanted = {
        "plain": ["paper/et-greedy"],
        "parts": ["paper/et-greedy"],
        "systems": ["medium/codecslime, melt", "medium/codecslime, cool", "paper/hnet-yoto"],
    }
    plan = speed.plan()
    results = {
        kind: {key: {**made, **plan[kind][key](store)} for key in keys}
        for kind, keys in wanted.items()
    }
    page = speed.page(results)
    assert page.count("no bf16 here") == 2 and page.count(" × |") == 1
    rows = {line.split(" | ")[0]: line for line in page.splitlines()}
    assert rows["| hnet-yoto"].startswith("| hnet-yoto |  |  | ")
    assert "| codecslime, melt" in rows and "| codecslime, cool" in rows
    assert page.endswith("Commit here. A machine.")


def test_every_system_is_planned_at_every_preset() -> None:
    planned = speed.plan()["systems"]
    for preset in speed.PRESETS:
        rows = {key.split("/")[1].split(",")[0] for key in planned if key.startswith(preset)}
        assert rows == set(speed.SYSTEMS)


def test_memory_is_at_least_what_the_networks_take(small, store) -> None:
    found = speed.peak_bytes(store, "paper", 2)
    assert found > 50_000_000  # Python and torch alone take that
    table = speed.memory_table({"paper/2": {"bytes": 1_234_000_000}})
    assert table.splitlines()[-1] == "| paper, 2 | 1.23 |"
