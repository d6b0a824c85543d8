"""What the bundled autoencoder is measured against: Opus, and a linear autoencoder of its budget.

Opus is what a reader has on any computer. PCA of MDCT frames is the best that a linear map can do
for the energy of the waveform with as many numbers a second: what the network adds is the rest.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import av
import numpy as np
import scipy.fft
import soxr

OPUS_RATE = 48_000  # Opus does not know 22.05 kHz
BLOCK = 960  # samples: the 20 ms frame of Opus' default
LATEST = 48  # samples: 1 ms
HOP = 256  # samples between MDCT frames, and coefficients in each
GROUP = 4  # MDCT frames in one latent frame of 1024 samples, as in the autoencoder
CHANNELS = 64  # numbers in one latent frame, as in the autoencoder
WINDOW = np.sin(np.pi * (np.arange(2 * HOP) + 0.5) / (2 * HOP))  # squares of its halves add to one


def opus(wave: np.ndarray, rate: int, kbps: float) -> tuple[np.ndarray, float]:
    """Mono samples (n,) through Opus: what is heard (n,), and the kbit/s of its packets.

    libopus' defaults for audio: variable rate, complexity 10, 20 ms. Their rate differs from what
    is asked for, so it is counted, the Ogg pages around the packets left out.
    """
    if wave.ndim != 1 or len(wave) == 0:
        raise ValueError(f"the wave has shape {wave.shape}: Opus takes mono samples (n,)")
    source = soxr.resample(wave.astype(np.float32), rate, OPUS_RATE).clip(-1, 1)
    file, bits = io.BytesIO(), 0
    with av.open(file, "w", format="ogg") as container:
        options = {"application": "audio", "vbr": "on"}
        stream = container.add_stream("libopus", rate=OPUS_RATE, layout="mono", options=options)
        stream.bit_rate = round(kbps * 1000)
        for frame in [*_frames(source), None]:
            for packet in stream.encode(frame):
                bits += 8 * packet.size
                container.mux(packet)
    file.seek(0)
    with av.open(file) as container:
        # The samples that the encoder puts in front to start up (RFC 7845, pre-skip) are already
        # dropped here.
        pieces = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    decoded = _fit(np.concatenate(pieces), len(source))
    late = _lag(decoded, source)
    decoded = _fit(np.pad(decoded, (max(0, -late), 0))[max(0, late) :], len(source))
    heard = soxr.resample(decoded, OPUS_RATE, rate)
    return _fit(heard, len(wave)), bits / 1000 / (len(wave) / rate)


def _lag(decoded: np.ndarray, source: np.ndarray) -> int:
    """By how many samples, at most LATEST, `decoded` follows `source`: where they agree best.

    The speech part of Opus, which low rates use, comes some samples late. That cannot be heard but
    would cost it several decibels of SI-SDR.
    """
    size = 2 * len(source)
    product = scipy.fft.rfft(decoded, size) * scipy.fft.rfft(source, size).conj()
    agreement = np.roll(scipy.fft.irfft(product, size), LATEST)[: 2 * LATEST + 1]
    return int(agreement.argmax()) - LATEST


def _frames(wave: np.ndarray) -> Iterable[av.AudioFrame]:
    """The samples as float frames of 20 ms with their time stamps."""
    for start in range(0, len(wave), BLOCK):
        block = np.ascontiguousarray(wave[None, start : start + BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
        frame.sample_rate, frame.pts = OPUS_RATE, start
        yield frame


def _fit(wave: np.ndarray, length: int) -> np.ndarray:
    """Cut or fill up with zeros to `length` samples, float32."""
    return np.pad(wave[:length], (0, max(0, length - len(wave)))).astype(np.float32)


def mdct(wave: np.ndarray) -> np.ndarray:
    """Orthonormal MDCT of (n,) samples in rows of one latent frame, (T, 1024); sine window.

    The first frame is centred on the first sample and the last lies past the end: what
    `inverse_mdct` needs to give every sample back (Princen and Bradley 1986).
    """
    latents = -(-(len(wave) + HOP) // (GROUP * HOP))
    padded = np.zeros((latents * GROUP + 1) * HOP)
    padded[HOP : HOP + len(wave)] = wave
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP] * WINDOW
    a, b, c, d = np.split(frames, 4, axis=1)
    folded = np.concatenate([-c[:, ::-1] - d, a - b[:, ::-1]], axis=1)
    return scipy.fft.dct(folded, type=4, norm="ortho").reshape(latents, GROUP * HOP)


def inverse_mdct(rows: np.ndarray, length: int) -> np.ndarray:
    """The `length` samples whose MDCT is `rows` (T, 1024)."""
    folded = scipy.fft.dct(rows.reshape(-1, HOP), type=4, norm="ortho")
    first, second = np.split(folded, 2, axis=1)
    frames = np.concatenate([second, -second[:, ::-1], -first[:, ::-1], -first], axis=1) * WINDOW
    wave = np.zeros((len(frames) + 1, HOP))
    wave[:-1] += frames[:, :HOP]
    wave[1:] += frames[:, HOP:]
    return wave.reshape(-1)[HOP : HOP + length]


@dataclass(frozen=True)
class LinearAutoencoder:
    """An affine map from 1024 MDCT coefficients to K numbers, and its transpose back.

    Fitted by PCA on the raw coefficients, which of all linear maps keeps the most energy of the
    training set. Loud low partials hold most of it, so most of what lies above 1 kHz is lost.
    """

    mean: np.ndarray  # (1024,)
    basis: np.ndarray  # (1024, K), orthonormal columns, most energy first

    @classmethod
    def fit(cls, waves: Iterable[np.ndarray], channels: int = CHANNELS) -> "LinearAutoencoder":
        """From the covariance of all latent frames of `waves`, each (n,)."""
        size = GROUP * HOP
        if not 1 <= channels <= size:
            raise ValueError(f"{channels} numbers for {size} coefficients: give 1 to {size}")
        count, total, products = 0, np.zeros(size), np.zeros((size, size))
        for wave in waves:
            rows = mdct(wave)
            count, total = count + len(rows), total + rows.sum(axis=0)
            products += rows.T @ rows
        if count == 0:
            raise ValueError("there are 0 clips to fit: ask for more minutes or other sets")
        mean = total / count
        _, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
        return cls(mean, vectors[:, ::-1][:, :channels])

    def encode(self, wave: np.ndarray) -> np.ndarray:
        """(n,) samples to (T, K)."""
        return (mdct(wave) - self.mean) @ self.basis

    def decode(self, latents: np.ndarray, length: int) -> np.ndarray:
        """(T, K) to (length,) samples, float32."""
        return inverse_mdct(latents @ self.basis.T + self.mean, length).astype(np.float32)
