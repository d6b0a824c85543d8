"""Time the training step by system, by part, and before and after: benchmarks/training.md.

    python scripts/training_speed.py

It takes a quarter of an hour of a processor core. What is measured is kept under runs/, so a run
that was stopped goes on where it was; `--only` names some of it.
"""

import argparse
import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from plain_step import PlainTrainer
from torch import Tensor, nn
from tqdm.auto import tqdm

from et_lite import runs
from et_lite.config import PRESETS, SYSTEMS, TrainingConfig, preset
from et_lite.data import LatentStore
from et_lite.methods import elastic_time
from et_lite.storage import ASSETS, commit, load_weights, machine, replace_between, write_json
from et_lite.training import Trainer

RESULTS = ASSETS.parent / "benchmarks" / "training.json"
BEGIN, END = "<!-- tables: written by scripts/training_speed.py -->", "<!-- end of tables -->"
BATCH = {"lite": None, "medium": 4, "paper": 4}  # None: the preset's own
WARM = {"lite": 4, "medium": 3, "paper": 1}  # steps until memory has grown to what a step takes
STEPS = {"lite": 7, "medium": 5, "paper": 3}
MEMORY = {"lite": (32,), "medium": (4,), "paper": (4, 16)}  # batches whose memory is measured
LATE = 0.9  # how much of the training is over, so that learning rates are small
STAGES = {"codecslime": {"codecslime, melt": 0.2, "codecslime, cool": 0.7}}
PLAIN = {"plain, float32": (PlainTrainer, False), "plain, bf16": (PlainTrainer, True)}
OURS = {"ours, float32": (Trainer, False), "ours, bf16": (Trainer, True)}
Cell = dict[str, Any]


def configuration(name: str, system: str) -> TrainingConfig:
    """A preset with the batch that is timed."""
    batch = BATCH[name]
    return preset(name, system) if batch is None else preset(name, system, batch=batch)


def begun(
    store: LatentStore, name: str, system: str, share: float = LATE, kind: type[Trainer] = Trainer
) -> Trainer:
    """A trainer of which a share of the steps counts as done."""
    config = configuration(name, system)
    trainer = kind(config, store)
    trainer.done = int(share * config.steps)
    if name == "lite" and config.method == "elastic_time":
        # Greedy selection takes a longer table where segments are long, as they are in the first
        # steps of a training and seldom later: a trained model stands for most steps.
        trainer.method.load_state_dict(load_weights(ASSETS / "weights" / "et-greedy")[0])
    return trainer


def now() -> float:
    """The clock, in seconds: one thread's own processor time, else what has passed.

    Other work on the machine hardly counts in processor time. A device is waited for.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        return time.process_time()
    return time.perf_counter()


def seconds(step: Callable[[], object]) -> float:
    """How long one step takes."""
    begin = now()
    step()
    return now() - begin


@contextmanager
def precision(bf16: bool) -> Iterator[None]:
    """Train in bf16 or not, whatever the hardware has."""
    with patch.object(runs, "has_bf16", lambda kind: bf16):
        yield


def steps_of_a_system(store: LatentStore, name: str, system: str, row: str) -> Cell:
    """Seconds of single steps."""
    trainer = begun(store, name, system, STAGES.get(system, {}).get(row, LATE))
    taken = [seconds(trainer.step) for _ in range(WARM[name] + STEPS[name])]
    return {"seconds": taken[WARM[name] :]}


def plain_and_ours(store: LatentStore, name: str, system: str) -> Cell:
    """Seconds of single steps, a plain one after one of ours, each in float32 and in bf16."""
    kinds = {**PLAIN, **OURS}
    if not runs.has_bf16("cuda" if torch.cuda.is_available() else "cpu"):
        kinds = {row: kind for row, kind in kinds.items() if not kind[1]}
    trainers = {row: begun(store, name, system, kind=kind) for row, (kind, _) in kinds.items()}
    taken: dict[str, list[float]] = {row: [] for row in kinds}
    for _ in range(WARM[name] + STEPS[name]):
        for row, (_, bf16) in kinds.items():
            with precision(bf16):
                taken[row].append(seconds(trainers[row].step))
    return {row: times[WARM[name] :] for row, times in taken.items()}


def memory_of_a_step(store: LatentStore, name: str, batch: int) -> Cell:
    """The most memory that a training takes, in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return {"bytes": pool.apply(peak_bytes, (store, name, batch))}


def peak_bytes(store: LatentStore, name: str, batch: int) -> int:
    """Memory at the worst moment of two steps, the second with all optimisers' states.

    Of the device where there is one, else of the process with its libraries.
    """
    torch.set_num_threads(1)
    trainer = Trainer(replace(configuration(name, "et-greedy"), batch=batch), store)
    for _ in range(2):
        trainer.step()
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Parts:
    """Seconds of a step by part and direction; its clock is always in exactly one of them."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.open = [("rest", "forward")]
        self.last = now()

    def lap(self) -> None:
        """Give the time since the last lap to what is open."""
        begin, self.last = self.last, now()
        self.seconds[self.open[-1]] += self.last - begin

    @contextmanager
    def inside(self, part: str, way: str = "forward") -> Iterator[None]:
        """Give the time in this block to a part."""
        self.lap()
        self.open.append((part, way))
        yield
        self.lap()
        self.open.pop()

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time given to a part."""

        def wrapper(*arguments: Any, **named: Any) -> Any:
            with self.inside(part):
                return call(*arguments, **named)

        return wrapper

    def follows(self, tensor: Tensor, part: str, after: str) -> Tensor:
        """Where the way back from `after` reaches this tensor, it goes on in `part`."""

        def reached(_: Tensor) -> None:
            if self.open[-1] == (after, "backward"):
                self.lap()
                self.open[-1] = (part, "backward")

        tensor.register_hook(reached)
        return tensor


JUDGED = "discriminator in the generator step"


@contextmanager
def watched(trainer: Trainer) -> Iterator[Parts]:
    """Time the parts of an Elastic Time's steps in this block.

    A part's way back begins where the gradient reaches its output, which a hook there tells.
    """
    parts, method = Parts(), trainer.method
    rebuild, decode, backward = method.rebuild, method.decode, Tensor.backward

    def rebuilt(z: Tensor, segmentations: list[Any]) -> Tensor:
        with parts.inside("unroll"):
            parts.follows(z, "encoder", after="unroll")
            return parts.follows(rebuild(z, segmentations), "unroll", after="decoder")

    def decoded(z: Tensor) -> Tensor:
        with parts.inside("decoder"):
            return parts.follows(decode(z), "decoder", after=JUDGED)

    def back(self: Tensor, *arguments: Any, **named: Any) -> None:
        part = "the predictor's own losses" if "inputs" in named else parts.open[-1][0]
        with parts.inside(part, "backward"):
            backward(self, *arguments, **named)

    places = [
        (LatentStore, "batch", "batch"),
        (method, "encode", "encoder"),
        (method, "_choose", "rollout from every frame"),
        (elastic_time, "solve_rows", "selection"),
        (trainer, "_discriminator_step", "discriminator step"),
        (trainer, "_generator_step", JUDGED),
        (nn.utils, "clip_grad_norm_", "clipping"),
        (trainer.main[0], "step", "Muon"),
        (trainer.main[1], "step", "AdamW"),
        (trainer.against, "step", "AdamW of the discriminator"),
    ]
    with ExitStack() as stack:
        for owner, name, part in places:
            timed = parts.timed(part, getattr(owner, name))
            stack.enter_context(patch.object(owner, name, timed))
        for owner, name, new in (
            (method, "rebuild", rebuilt),
            (method, "decode", decoded),
            (Tensor, "backward", back),
        ):
            stack.enter_context(patch.object(owner, name, new))
        yield parts
        parts.lap()


def step_by_part(store: LatentStore, name: str, system: str) -> Cell:
    """Seconds of single steps by part, and of steps between them that nobody watched."""
    trainer = begun(store, name, system)
    for _ in range(WARM[name]):
        trainer.step()
    alone, found = [], []
    for _ in range(STEPS[name]):
        alone.append(seconds(trainer.step))
        with watched(trainer) as parts:
            trainer.step()
        found.append(parts.seconds)
    keys = list(dict.fromkeys(key for one in found for key in one))
    rows = [[*key, median(one.get(key, 0.0) for one in found)] for key in keys]
    return {"alone": alone, "watched": [sum(one.values()) for one in found], "parts": rows}


def systems_table(cells: dict[str, Cell]) -> str:
    """Steps a second of every system, with the range of single steps."""
    found: dict[str, dict[str, Cell]] = defaultdict(dict)
    for key, cell in cells.items():
        name, row = key.split("/")
        found[row][name] = cell
    batches = [f"{name}, batch {configuration(name, 'et-greedy').batch}" for name in PRESETS]
    lines = [f"| system | {' | '.join(batches)} |", f"|---|{'---|' * len(PRESETS)}"]
    for row, by_preset in found.items():
        shown = [rate(by_preset[name]["seconds"]) if name in by_preset else "" for name in PRESETS]
        lines.append(f"| {row} | {' | '.join(shown)} |")
    return "\n".join(lines)


def rate(taken: list[float]) -> str:
    """Steps a second of the median step, and of the slowest and the fastest one."""
    return f"{1 / median(taken):.2f} ({1 / max(taken):.2f} – {1 / min(taken):.2f})"


def parts_table(cells: dict[str, Cell]) -> str:
    """What each part takes of a step."""
    tables: list[str] = []
    for key, cell in cells.items():
        ways: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for part, way, value in cell["parts"]:
            ways[part][way] += value
        total = sum(sum(way.values()) for way in ways.values())
        lines = [
            f"| {key.replace('/', ', ')} | forward, ms | backward, ms | share |",
            "|---" * 4 + "|",
        ]
        for part, way in sorted(ways.items(), key=lambda item: -sum(item[1].values())):
            shown = [f"{1e3 * way[w]:.1f}" if w in way else "" for w in ("forward", "backward")]
            share = sum(way.values()) / total
            lines.append(f"| {part} | {' | '.join(shown)} | {share:.1%} |")
        judged = sum(sum(way.values()) for part, way in ways.items() if "discriminator" in part)
        alone, seen = median(cell["alone"]), median(cell["watched"])
        said = f"The discriminator takes {judged / total:.0%} of a step."
        said += f" A step takes {alone:.3f} s, and {seen:.3f} s where the clock is read in it."
        tables.append("\n".join([*lines, "", said]))
    return "\n\n".join(tables)


def plain_table(cells: dict[str, Cell]) -> str:
    """Seconds of a step, before and after."""
    rows = [*PLAIN, *OURS]
    gains = {"in float32": (0, 2), "in bf16": (1, 3), "float32 to bf16": (0, 3)}
    lines = [f"| step, s | {' | '.join(rows)} | {' | '.join(gains)} |", "|---" * 8 + "|"]
    for key, cell in cells.items():
        shown = [
            f"{median(cell[row]):.2f} ({min(cell[row]):.2f} – {max(cell[row]):.2f})"
            if row in cell
            else "no bf16 here"
            for row in rows
        ]
        for before, after in ((rows[i], rows[j]) for i, j in gains.values()):
            there = before in cell and after in cell
            shown.append(f"{median(cell[before]) / median(cell[after]):.2f} ×" if there else "")
        lines.append(f"| {key.replace('/', ', ')} | {' | '.join(shown)} |")
    return "\n".join(lines)


def memory_table(cells: dict[str, Cell]) -> str:
    """Gigabytes that a training takes."""
    lines = ["| preset, batch | memory, GB |", "|---|---|"]
    lines += [f"| {key.replace('/', ', ')} | {c['bytes'] / 1e9:.2f} |" for key, c in cells.items()]
    return "\n".join(lines)


def plan() -> dict[str, dict[str, Callable[[LatentStore], Cell]]]:
    """Every cell of the tables, and how it is measured."""
    two = [("lite", "et-greedy"), ("paper", "et-greedy")]
    rows = [(row, s) for s in SYSTEMS for row in STAGES.get(s, {s: LATE})]
    return {
        "plain": {f"{name}/{s}": partial(plain_and_ours, name=name, system=s) for name, s in two},
        "parts": {f"{name}/{s}": partial(step_by_part, name=name, system=s) for name, s in two},
        "systems": {
            f"{name}/{row}": partial(steps_of_a_system, name=name, system=s, row=row)
            for name in PRESETS
            for row, s in rows
        },
        "memory": {
            f"{name}/{batch}": partial(memory_of_a_step, name=name, batch=batch)
            for name, batches in MEMORY.items()
            for batch in batches
        },
    }


TABLES = {
    "plain": ("Before and after", plain_table),
    "parts": ("Where the time of a step goes", parts_table),
    "systems": ("Steps a second of every system", systems_table),
    "memory": ("Memory of a training", memory_table),
}


def page(results: dict[str, dict[str, Cell]]) -> str:
    """All tables, and what made them."""
    text = [f"## {TABLES[kind][0]}\n\n{TABLES[kind][1](cells)}" for kind, cells in results.items()]
    cells = [cell for table in results.values() for cell in table.values()]
    commits, machines = (sorted({cell[k] for cell in cells}) for k in ("commit", "machine"))
    return "\n\n".join([*text, f"Commit {', '.join(commits)}. {'; '.join(machines)}."])


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latents", type=Path, default=ASSETS / "latents" / "train.safetensors")
    parser.add_argument("--runs", type=Path, default=Path("runs/training_speed"), help="cache")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    store = LatentStore.load(given.latents)
    made = {"command": " ".join(["python", *sys.argv]), "commit": commit(), "machine": machine()}
    made["latents"] = store.digest()
    # What is not asked for stays as it was.
    results: dict[str, dict[str, Cell]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    for table, cells in plan().items():
        if table not in given.only:
            continue
        results[table] = {}
        for key, measure in tqdm(cells.items(), table, disable=None):
            file = given.runs / table / f"{key.replace('/', ' ')}.json"
            if not file.exists():
                write_json(file, {**made, **measure(store)})
            results[table][key] = json.loads(file.read_text())
    write_json(RESULTS, results)
    replace_between(RESULTS.with_suffix(".md"), BEGIN, END, page(results))


if __name__ == "__main__":
    main()
