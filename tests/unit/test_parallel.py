"""Two processes train as one does, end together, and go on together."""

import csv
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from et_lite import runs
from et_lite.config import SYSTEMS, TrainingConfig
from et_lite.data import LatentStore
from et_lite.layers import Posterior
from et_lite.parallel import Processes, join, leave
from et_lite.storage import load_state
from et_lite.training import train

STEPS = 20


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def in_double_precision() -> None:
    """Have this process compute everything in float64, but for what Muon does in bf16.

    Sums over two processes are rounded otherwise than over one. In float32 that now and then turns
    a rounding of Muon's to bf16, which is 65 000 times coarser, and the runs drift apart, by up to
    6e-4 in 20 steps. With Muon in float32 they stay within 4e-7, but for a rare difference that
    changes its sign under feature matching's magnitudes. In float64 neither happens, and what
    still differs would be a mistake.
    """
    batch = LatentStore.batch
    setattr(LatentStore, "batch", lambda *given: batch(*given).double())  # noqa: B010
    setattr(torch.Tensor, "float", torch.Tensor.double)  # noqa: B010
    torch.set_default_dtype(torch.float64)
    runs.has_bf16 = lambda kind: False


def train_all(
    configs: dict[str, TrainingConfig], latents: str, root: Path, rank: int, count: int, port: int
) -> None:
    """One of `count` processes; they train every configuration, one after another."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1")
    torch.set_num_threads(1)
    in_double_precision()
    store, processes = LatentStore.load(latents), join()
    for name, config in configs.items():
        train(config, store, root / name, processes=processes, valid=store, log_every=1)
    leave()


def start(count: int, *arguments: object) -> list[multiprocessing.Process]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["et_lite.training"])
    port = free_port()
    processes = [
        context.Process(target=train_all, args=(*arguments, rank, count, port))
        for rank in range(count)
    ]
    for process in processes:
        process.start()
    return processes


def logged(run: Path) -> dict[tuple[int, str], float]:
    with open(run / "metrics.csv", newline="") as file:
        return {(int(r["step"]), r["name"]): float(r["value"]) for r in csv.DictReader(file)}


@pytest.mark.slow
def test_two_processes_train_as_one_does(tiny_of, store, tmp_path) -> None:
    """Done-when of the scale: every loss of 20 steps within 1e-4, for every method."""
    store.save(tmp_path / "latents.safetensors")
    systems = ("et-greedy", "et-dp", "conv-downsample", "codecslime", "hnet@0.5", "hnet-yoto")
    systems += ("uniform-hold",)
    configs = {
        system: replace(tiny_of(system), batch=4, steps=STEPS, marked=system == "et-greedy")
        for system in systems
    }
    assert {SYSTEMS[s].method for s in systems} == {s.method for s in SYSTEMS.values()}
    for name, count in (("one", 1), ("two", 2)):
        arguments = (configs, str(tmp_path / "latents.safetensors"), tmp_path / name)
        processes = start(count, *arguments)
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * count
    for system in systems:
        one, two = (logged(tmp_path / name / system) for name in ("one", "two"))
        assert one.keys() == two.keys() and max(step for step, _ in one) == STEPS
        worst = max(abs(one[key] - two[key]) / max(1, abs(one[key])) for key in one)
        assert worst < 1e-4, system


def test_rows_and_their_noise_are_those_of_one_process() -> None:
    whole = torch.randn(8, 8, 24, generator=torch.Generator().manual_seed(5))
    posterior = Posterior(torch.zeros(8, 8, 24), torch.ones(8, 8, 24))
    drawn = []
    for index in range(4):
        processes, noise = Processes(index, 4), torch.Generator().manual_seed(5)
        rows = processes.rows(8)
        own = Posterior(posterior.mean[rows], posterior.scale[rows])
        processes.pass_by(noise, own.mean)
        drawn.append(own.sample(noise))
    assert torch.equal(torch.cat(drawn), whole)
    with pytest.raises(ValueError, match="a batch of 6 clips cannot be shared by 4 processes"):
        Processes(0, 4).rows(6)


def test_alone_nothing_is_shared() -> None:
    alone = join()
    assert alone.first and alone.rows(5) == slice(0, 5)
    value = torch.ones(3, requires_grad=True)
    assert alone.mean(value) is value and alone.gather(value) is value
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    alone.pass_by(generator, value)
    assert torch.equal(before, generator.get_state())


def test_without_accelerate_it_is_said(monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match=r"pip install 'et-lite\[scale\]'"):
        join()


COMMAND = """
import sys
from et_lite import cli, config
from tests.unit.conftest import TINY
config.PRESETS["lite"] = TINY
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture
def command(tmp_path) -> Callable[[int, int], subprocess.Popen[str]]:
    """`torchrun … et-lite train` of a tiny preset on the bundled autoencoder's kind of latents."""
    from et_lite.autoencoders import load_autoencoder

    generator = torch.Generator().manual_seed(1)
    mean = torch.randn(1, 8, 400, generator=generator).cumsum(-1) * 0.1
    clips = [("music", Posterior(mean, torch.full_like(mean, 0.05)))]
    latents = tmp_path / "latents.safetensors"
    LatentStore.collect(clips, load_autoencoder("spectral-vae").identity).save(latents)
    (tmp_path / "tiny.py").write_text(COMMAND)
    repository = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def run(count: int, steps: int) -> subprocess.Popen[str]:
        launched = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        given = ["train", latents, "-o", tmp_path / "model", "--batch", 4, "--steps", steps]
        given += ["--run-dir", tmp_path / "run"]
        words = [sys.executable, *launched, tmp_path / "tiny.py", *given]
        return subprocess.Popen(
            [str(word) for word in words], env=environment, stderr=subprocess.PIPE, text=True
        )

    return run


def ranks(parent: int) -> list[int]:
    """The processes that a process started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children]


@pytest.mark.slow
def test_a_killed_process_ends_the_other_and_the_run_goes_on(command, tmp_path) -> None:
    """Done-when of the scale: both end with a clear message, and the same command resumes."""
    launched, checkpoint = command(2, 100_000), tmp_path / "run" / "checkpoint.safetensors"
    while not checkpoint.exists():
        assert launched.poll() is None, launched.stderr.read()
        time.sleep(0.1)
    both = ranks(launched.pid)
    assert len(both) == 2
    os.kill(both[1], signal.SIGKILL)
    said = launched.communicate(timeout=300)[1]
    assert launched.returncode != 0
    assert not any(Path(f"/proc/{rank}").exists() for rank in both)
    sentences = [line for line in said.splitlines() if line.startswith("et-lite: ")]
    assert sentences
    for sentence in sentences:
        assert "another process of this training has ended" in sentence
        assert "the same command goes on from the last checkpoint" in sentence
    done = load_state(checkpoint)["state"]["step"]
    assert 0 < done < 100_000 and not list((tmp_path / "run").glob(".tmp-*"))
    again = command(2, 100_000)
    while load_state(checkpoint)["state"]["step"] == done:
        assert again.poll() is None, again.stderr.read()
        time.sleep(0.1)
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=300)
    assert load_state(checkpoint)["state"]["step"] > done
    rows = logged(tmp_path / "run")
    assert np.isfinite(list(rows.values())).all()
