"""Write the plan of the paper's run into book/scale.md, from what benchmarks/ has measured.

python scripts/scale_plan.py
"""

import json
from statistics import median
from typing import Any

from et_lite.config import TrainingConfig, preset
from et_lite.storage import ASSETS, replace_between

ROOT = ASSETS.parent
PAGE = ROOT / "book" / "scale.md"
BEGIN, END = "<!-- plan: written by scripts/scale_plan.py -->", "<!-- end of plan -->"
MEASURED = 4  # clips a step, in benchmarks/training.json
FIXED = ("Muon", "AdamW", "AdamW of the discriminator", "clipping")  # the same for every batch
FRAME_RATE = 44_100 / 2048  # latent frames a second of Stable Audio Open
PAPER_HOURS = 48  # on an NVIDIA L40S (Bralios et al. 2026)


def step_seconds(results: dict[str, Any], batch: int) -> float:
    """A step of ET-greedy with `batch` clips: its parts either grow with the batch or stay."""
    cell = results["parts"]["paper/et-greedy"]
    fixed = sum(value for part, _, value in cell["parts"] if part in FIXED)
    growing = sum(value for part, _, value in cell["parts"] if part not in FIXED)
    # Of steps in which no part was timed: the clock takes time itself.
    return median(cell["alone"]) * (fixed + growing * batch / MEASURED) / (fixed + growing)


def judged_share(results: dict[str, Any], batch: int) -> float:
    """The discriminator's share of a step with `batch` clips."""
    parts = results["parts"]["paper/et-greedy"]["parts"]
    growing = sum(v for part, _, v in parts if "discriminator" in part and part not in FIXED)
    optimiser = sum(v for part, _, v in parts if "discriminator" in part and part in FIXED)
    whole = sum(v * (1 if part in FIXED else batch / MEASURED) for part, _, v in parts)
    return (growing * batch / MEASURED + optimiser) / whole


def memory_bytes(results: dict[str, Any], batch: int) -> float:
    """Memory of a training with `batch` clips, on the line through the two that were measured."""
    cells = results["memory"].items()
    found = {int(key.split("/")[1]): c["bytes"] for key, c in cells if key.startswith("paper")}
    (first, low), (second, high) = sorted(found.items())
    return low + (high - low) * (batch - first) / (second - first)


def exchanged_bytes(config: TrainingConfig, weights: int) -> int:
    """What a process of several gives to the others in a step: gradients, and latents of its rows.

    ET-greedy's losses want inner latents, those rebuilt, and as many rollouts as the horizon.
    """
    latents = config.batch * config.network.channels * config.frames
    return 4 * (weights + latents * (2 + config.loss.horizon))


def disk_bytes(config: TrainingConfig) -> float:
    """An hour of sound as means and scales in float16."""
    return 3600 * FRAME_RATE * config.network.channels * 2 * 2


def plan(results: dict[str, Any], weights: int) -> str:
    """The table of the run, and the sentences that go with it."""
    config = preset("paper")
    batches = (MEASURED, config.batch)
    seconds = [step_seconds(results, batch) for batch in batches]
    memory = [f"{memory_bytes(results, batch) / 1e9:.1f}" for batch in batches]
    days = [config.steps * value / 86_400 for value in seconds]
    machine = results["parts"]["paper/et-greedy"]["machine"]
    rows = [
        [f"one thread, batch {MEASURED}, measured", seconds[0], memory[0], days[0]],
        [f"one thread, batch {config.batch}, extrapolated", seconds[1], memory[1], days[1]],
    ]
    lines = ["| | seconds a step | memory, GB | the whole run, days |", "|---|---|---|---|"]
    lines += [f"| {name} | {s:.1f} | {m} | {d:.0f} |" for name, s, m, d in rows]
    paper = PAPER_HOURS * 3600 / config.steps
    lines.append(
        f"| NVIDIA L40S, batch {config.batch}, as the paper reports | {paper:.2f} | not given | "
        f"{PAPER_HOURS / 24:.0f} |"
    )
    steps = f"{config.steps:,}".replace(",", " ")
    share = [f"{judged_share(results, batch):.0%}" for batch in batches]
    return "\n".join(
        [
            *lines,
            "",
            f"The whole run is {steps} steps. The thread is one of: {machine}. No GPU was to be "
            "had for this page, so that there is no other row.",
            "",
            f"The discriminator takes {share[0]} of the step with {MEASURED} clips, and would take "
            f"{share[1]} of one with {config.batch}.",
            "",
            f"An hour of sound takes {disk_bytes(config) / 1e6:.1f} MB of disk as latents. In a "
            f"step a process exchanges {exchanged_bytes(config, weights) / 1e6:.0f} MB with the "
            "others, nearly all of it gradients.",
        ]
    )


def weights_of_the_paper() -> int:
    """How many weights ET-greedy and its discriminator have."""
    from et_lite.adversary import LatentDiscriminator
    from et_lite.methods import build

    config = preset("paper")
    networks = build(config), LatentDiscriminator(config.discriminator)
    return sum(p.numel() for network in networks for p in network.parameters())


def main() -> None:
    """Read what is stored, and write the page's table."""
    results = json.loads((ROOT / "benchmarks" / "training.json").read_text())
    replace_between(PAGE, BEGIN, END, plan(results, weights_of_the_paper()))


if __name__ == "__main__":
    main()
