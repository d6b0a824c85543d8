"""Files that are never half-written: weights with their card, and the state of a training run.

Everything is safetensors (a header and raw tensors: loading it runs no code) and JSON.
"""

import hashlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name only when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays, since libraries read the format from it.
    temporary = path.parent / f".tmp-{secrets.token_hex(6)}{path.suffix}"
    try:
        temporary.touch(exist_ok=False)  # now, so that a folder that cannot be written says so
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, values: Any) -> None:
    """Write JSON in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def replace_between(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marker lines of a text file, in one step.

    ValueError when the file lacks one of them.
    """
    before, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{path.name} has not both {begin!r} and {end!r}: put them back")
    with atomic_path(path) as temporary:
        temporary.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def beside(stem: Path, suffix: str) -> Path:
    """The file `stem` + `suffix`; a dot in the name, as in et@0.5, is part of the name."""
    return stem.with_name(stem.name + suffix)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of a writer that was killed; nobody else may be writing there."""
    for file in folder.glob(".tmp-*"):
        file.unlink()


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_weights(
    stem: Path,
    state: dict[str, Tensor],
    card: dict[str, Any],
    precision: torch.dtype = torch.float16,
) -> None:
    """Write `stem.safetensors` and `stem.json`, the card with the file's hash."""
    tensors = {
        name: tensor.detach().cpu().to(precision).contiguous() for name, tensor in state.items()
    }
    weights = beside(stem, ".safetensors")
    with atomic_path(weights) as temporary:
        save_file(tensors, temporary)
    write_json(beside(stem, ".json"), {**card, "sha256": file_hash(weights)})


def load_weights(stem: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The float32 weights and the card that `save_weights` wrote. ValueError if they disagree."""
    weights, card_file = beside(stem, ".safetensors"), beside(stem, ".json")
    for file in (weights, card_file):
        if not file.is_file():
            raise ValueError(f"{file} does not exist: train the model or fetch the assets again")
    try:
        card = json.loads(card_file.read_text(encoding="utf-8"))
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{stem} cannot be read ({error}): fetch the assets again") from error
    if card.get("sha256") != file_hash(weights):
        raise ValueError(f"{weights} is not the file its card describes: fetch both again")
    return state, card


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a nested training state (dicts, lists, numbers, tensors) as one safetensors file."""
    tensors: dict[str, Tensor] = {}
    outline = json.dumps(_pull_tensors(state, "", tensors))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"outline": outline})


def load_state(path: Path) -> dict[str, Any]:
    """The nested state that `save_state` wrote. ValueError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            outline = json.loads((file.metadata() or {})["outline"])
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a checkpoint ({error}): remove it to start anew"
        ) from error
    return _put_tensors(outline, tensors)


def _pull_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Replace each tensor in `value` by a reference, and collect the tensors."""
    if isinstance(value, Tensor):
        # A copy: two names may share memory, which safetensors refuses.
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        pulled = [
            [key, _pull_tensors(item, f"{name}/{key}", tensors)] for key, item in value.items()
        ]
        return {"dict": pulled}  # pairs, since JSON would turn integer keys into text
    if isinstance(value, list | tuple):
        return {"list": [_pull_tensors(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]}
    return value


def _put_tensors(outline: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(outline, dict):
        return outline
    if "tensor" in outline:
        return tensors[outline["tensor"]]
    if "dict" in outline:
        return {key: _put_tensors(item, tensors) for key, item in outline["dict"]}
    return [_put_tensors(item, tensors) for item in outline["list"]]


def machine() -> str:
    """The processor and library that made a result, for its card."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _cpu_name()
    return f"{device}, torch {torch.__version__}"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = "CPU"
    return f"{name}, {torch.get_num_threads()} threads"


def commit() -> str:
    """The commit that the code stands at, or 'unknown' outside a checkout."""
    root = ASSETS.parent
    if not (root / ".git").exists():  # installed somewhere inside another repository
        return "unknown"
    try:
        command = ["git", "rev-parse", "--short", "HEAD"]
        found = subprocess.run(command, cwd=root, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"
