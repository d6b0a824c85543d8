"""The plan of the paper's run: numbers from stored measurements, and the page that shows them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import json

import scale_plan

from et_lite.config import preset

PARTS = [
    ["Muon", "forward", 2.0],
    ["discriminator step", "forward", 1.0],
    ["discriminator step", "backward", 2.0],
    ["AdamW of the discriminator", "forward", 0.5],
    ["encoder", "forward", 1.0],
]
CELL = {"alone": [6.0], "watched": [6.5], "parts": PARTS, "machine": "A machine"}
RESULTS = {
    "parts": {"paper/et-greedy": CELL},
    "memory": {"lite/32": {"bytes": 9}, "paper/4": {"bytes": 3e9}, "paper/8": {"bytes": 4e9}},
}


def test_a_step_grows_with_its_batch_where_it_should() -> None:
    assert scale_plan.step_seconds(RESULTS, 4) == pytest.approx(6.0)  # as measured
    assert scale_plan.step_seconds(RESULTS, 64) == pytest.approx((2.5 + 16 * 4) * 6 / 6.5)
    assert scale_plan.judged_share(RESULTS, 4) == pytest.approx(3.5 / 6.5)
    assert scale_plan.judged_share(RESULTS, 64) == pytest.approx((48 + 0.5) / 66.5)
    assert scale_plan.memory_bytes(RESULTS, 64) == pytest.approx(18e9)


def test_bytes_are_counted() -> None:
    config = preset("paper")
    assert scale_plan.disk_bytes(config) == pytest.approx(21.533 * 3600 * 256, rel=1e-4)
    assert scale_plan.exchanged_bytes(config, 10) == 4 * (10 + 64 * 64 * 96 * 7)


def test_the_page_shows_what_is_stored() -> None:
    results = json.loads((scale_plan.ROOT / "benchmarks" / "training.json").read_text())
    page = scale_plan.PAGE.read_text().split(scale_plan.BEGIN)[1].split(scale_plan.END)[0]
    assert page.strip() == scale_plan.plan(results, scale_plan.weights_of_the_paper())
