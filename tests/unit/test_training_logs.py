"""The table of training logs: what it holds, and what it leaves out."""

import csv
import json
import sys
from pathlib import Path

import pytest

from et_lite.runs import MetricsLog, last_values
from et_lite.storage import beside, write_json

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import training_logs


@pytest.fixture
def train(tmp_path):
    """Pretend to have trained a model: its log, and its card where it is finished."""

    def make(model: str, seed: int = 0, finished: bool = True) -> None:
        log = MetricsLog(tmp_path / "runs" / model, 0)
        for step in (20, 40):
            log.write(step, {"kept": 0.5, "reconstruction": step / 7})
        log.close()
        folder = tmp_path / ("runs/seeds" if model[-2:] == f".{seed}" else "weights")
        card = {"sha256": f"of {model}", "config": {"steps": 40}, "seed": seed, "data": "d"}
        values = last_values(tmp_path / "runs" / model)
        card |= {"commit": "c", "machine": "m", "metrics": values if finished else {"kept": 0.5}}
        write_json(beside(folder / model, ".json"), card)

    return make


def table(tmp_path: Path) -> tuple[list[str], list[dict[str, str]], dict]:
    """The models left out, the rows and the card."""
    unfinished = training_logs.collect(tmp_path / "runs", tmp_path / "weights", tmp_path / "out")
    with open(tmp_path / "out" / "training_logs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return unfinished, rows, json.loads((tmp_path / "out" / "training_logs.json").read_text())


def test_every_logged_value_has_a_row(tmp_path, train) -> None:
    train("et-greedy")
    _, rows, card = table(tmp_path)
    assert [tuple(row.values()) for row in rows] == [
        ("et-greedy", "et-greedy", "0", step, name, value)
        for step, values in (("20", ("0.5", "2.85714")), ("40", ("0.5", "5.71429")))
        for name, value in zip(("kept", "reconstruction"), values, strict=True)
    ]
    assert card["models"]["et-greedy"]["weights"] == "of et-greedy"
    assert card["models"]["et-greedy"]["steps"] == 40


def test_seeds_belong_to_their_system_and_a_dot_in_a_name_is_no_seed(tmp_path, train) -> None:
    for model, seed in (("et-dp@0.5", 0), ("et-dp.2", 2), ("et-dp.1", 1), ("et-dp@0.5.3", 3)):
        train(model, seed)
    _, rows, card = table(tmp_path)
    found = list(dict.fromkeys((row["model"], row["system"], row["seed"]) for row in rows))
    assert found == [
        ("et-dp.1", "et-dp", "1"),
        ("et-dp.2", "et-dp", "2"),
        ("et-dp@0.5", "et-dp@0.5", "0"),
        ("et-dp@0.5.3", "et-dp@0.5", "3"),
    ]
    assert list(card["models"]) == [model for model, _, _ in found]


def test_what_is_not_finished_is_left_out_and_named(tmp_path, train) -> None:
    train("et-dp")
    train("codecslime", finished=False)
    train("hnet-yoto")
    beside(tmp_path / "weights" / "hnet-yoto", ".json").unlink()
    unfinished, rows, card = table(tmp_path)
    assert unfinished == ["codecslime", "hnet-yoto"]
    assert {row["model"] for row in rows} == set(card["models"]) == {"et-dp"}


def test_no_training_is_no_table(tmp_path, train, monkeypatch, capsys) -> None:
    train("et-dp", finished=False)
    options = ["--runs", str(tmp_path / "runs"), "--weights", str(tmp_path / "weights")]
    monkeypatch.setattr(sys, "argv", ["training_logs.py", *options, "-o", str(tmp_path)])
    assert training_logs.main() == 2
    assert "make models first" in capsys.readouterr().err
    assert not (tmp_path / "training_logs.csv").exists()
