"""What is kept of a sound, `ElasticPayload`, and its file, `.etp` (book: chunking).

The file is safetensors: anchors (S, C, N) in float16 or float32, segment lengths (S, N) in the
smallest unsigned integers that hold them, and metadata with a version and a SHA-256 over all.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from et_lite.segments import Segmentation
from et_lite.storage import atomic_path

VERSION = 1
FIELDS: dict[str, type] = {
    "sample_rate": int,
    "samples": int,
    "latent_rate": float,
    "model": str,
    "identity": str,
    "solver": str,
    "requested": int,
}


@dataclass(frozen=True, eq=False)
class ElasticPayload:
    """Kept frames and segment lengths of S streams, enough to decode with the model named.

    `anchors` (S, C, N) float, `lengths` (S, N) int64, `sample_rate` in hertz and `samples` of the
    original sound, `latent_rate` in frames per second before dropping, `requested` the kept
    length that was asked for (a solver may not reach it), `sound_channels` those of the original
    where the autoencoder codes several in one stream.
    """

    anchors: np.ndarray
    lengths: np.ndarray
    sample_rate: int
    samples: int
    latent_rate: float
    model: str
    identity: str
    solver: str
    requested: int
    sound_channels: int | None = None  # None: S

    def __post_init__(self) -> None:
        for name, kind in FIELDS.items():
            if type(getattr(self, name)) is not kind:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, not {kind.__name__}: make it again"
                )
        count = self.sound_channels
        if count is not None and (type(count) is not int or count < 1):
            raise ValueError(f"sound_channels is {count!r}, not a count: make it again")
        if self.anchors.dtype.kind != "f" or not np.isfinite(self.anchors).all():
            raise ValueError("anchors are not all finite numbers: make the payload again")
        if self.lengths.dtype.kind not in "iu":
            raise ValueError(f"lengths are {self.lengths.dtype}, not whole numbers: make it again")
        if self.anchors.ndim != 3 or self.lengths.shape != self.anchors.shape[::2]:
            raise ValueError(
                f"anchors {self.anchors.shape} and lengths {self.lengths.shape} do not belong "
                "together: give (streams, channels, kept) and (streams, kept)"
            )
        totals = {Segmentation.from_lengths(row).frames for row in self.lengths}
        if len(totals) != 1:
            raise ValueError(f"streams have {sorted(totals)} frames: all must have the same")
        if min(self.sample_rate, self.samples) <= 0 or not 0 < self.latent_rate < np.inf:
            raise ValueError(
                f"sample rate {self.sample_rate} Hz, {self.samples} samples and "
                f"{self.latent_rate} frames/s must all be positive: make the payload again"
            )
        expected = int(np.ceil(self.samples / self.sample_rate * self.latent_rate - 1e-6))
        if abs(self.frames - expected) > 1:
            raise ValueError(
                f"{self.frames} frames do not fit {self.samples} samples at {self.sample_rate} Hz "
                f"(expected {expected}): make the payload again"
            )

    @property
    def frames(self) -> int:
        """Frames T of the base autoencoder."""
        return int(self.lengths[0].sum())

    @property
    def kept(self) -> int:
        """Kept frames N of each stream."""
        return self.lengths.shape[1]

    @property
    def reached(self) -> bool:
        """Whether the kept length is the one asked for."""
        return self.kept == self.requested

    @property
    def frame_rate(self) -> float:
        """Kept frames per second, on average."""
        return self.latent_rate * self.kept / self.frames

    @property
    def side_information_bits(self) -> float:
        """Bits that say which frames were kept, log₂ of the number of choices, over all streams."""
        return sum(Segmentation.from_lengths(row).side_information_bits for row in self.lengths)

    def facts(self, size: int) -> dict[str, str]:
        """What a file of `size` bytes that holds this tells its reader, each by its name."""
        seconds, side = self.samples / self.sample_rate, self.side_information_bits
        return {
            "model": f"{self.model} ({self.identity[:12]})",
            "solver": self.solver,
            "sound": f"{seconds:.3f} s, {self.sample_rate} Hz, {len(self.lengths)} channel(s)",
            "kept": f"{self.kept} of {self.frames} frames a channel "
            f"({self.kept / self.frames:.4f}; {self.requested} asked for)",
            "frame rate": f"{self.frame_rate:.3f} of {self.latent_rate:.3f} frames/s",
            "side information": f"{side:.0f} bits ({side / seconds:.1f} bit/s)",
            "size": f"{size} bytes ({8 * size / seconds / 1000:.2f} kbit/s)",
        }

    def save(self, path: str | Path, precision: str = "float16") -> None:
        """Write a `.etp` file in one step; `precision` is float16 or float32."""
        if precision not in ("float16", "float32"):
            raise ValueError(f"precision {precision!r} is not float16 or float32: choose one")
        with np.errstate(over="ignore"):  # what does not fit is refused below
            anchors = self.anchors.astype(precision)
        if not np.isfinite(anchors).all():
            raise ValueError(
                f"the largest anchor, {np.abs(self.anchors).max():.4g}, exceeds what {precision} "
                "holds (65504): save with precision float32"
            )
        narrow = np.uint8 if self.lengths.max() < 256 else np.uint16
        if self.lengths.max() >= 1 << 16:
            raise ValueError(
                f"a segment of {self.lengths.max()} frames exceeds 65535: cut the file"
            )
        tensors = {"anchors": anchors, "lengths": self.lengths.astype(narrow)}
        metadata = {name: json.dumps(getattr(self, name)) for name in FIELDS}
        if self.sound_channels is not None:
            metadata["sound_channels"] = json.dumps(self.sound_channels)
        metadata |= {"format": "elastic-time-payload", "version": str(VERSION)}
        metadata["sha256"] = _digest(tensors, metadata)
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    @classmethod
    def load(cls, path: str | Path) -> "ElasticPayload":
        """Read a `.etp` file. ValueError when it is damaged, newer, or not one at all."""
        tensors, metadata = _read(Path(path))
        if metadata.get("format") != "elastic-time-payload":
            raise ValueError(f"{path} is not an elastic payload: make one with et-lite compress")
        version = metadata.get("version", "")
        if version.isdecimal() and int(version) > VERSION:
            raise ValueError(
                f"{path} has version {version}, this et-lite reads up to {VERSION}: upgrade et-lite"
            )
        if version != str(VERSION):
            raise ValueError(f"{path} has no version that was ever written: make it again")
        if metadata.pop("sha256", None) != _digest(tensors, metadata):
            raise ValueError(f"{path} is damaged (its hash does not match): copy or make it again")
        try:
            values = {name: json.loads(metadata[name]) for name in FIELDS}
            values["sound_channels"] = json.loads(metadata.get("sound_channels", "null"))
            anchors, lengths = tensors["anchors"], tensors["lengths"]
        except (KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} lacks {error}: make it again") from error
        payload = cls(anchors, lengths, **values)  # checks types before they are widened
        return replace(
            payload, anchors=anchors.astype(np.float32), lengths=lengths.astype(np.int64)
        )


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    if not path.is_file():
        raise ValueError(f"{path} does not exist: name a .etp file")
    try:
        with safe_open(path, framework="np") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        raise ValueError(
            f"{path} is not an elastic payload or is damaged: make it again"
        ) from error


def _digest(tensors: dict[str, np.ndarray], metadata: dict[str, Any]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors and over the metadata."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
