"""Configurations as values: frozen dataclasses and the presets `lite`, `medium` and `paper`."""

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

ConfigType = TypeVar("ConfigType")


@dataclass(frozen=True)
class NetworkConfig:
    """Encoder and decoder of the Re-Bottleneck (Bralios et al. 2026, section 2)."""

    channels: int = 64  # latent channels C, outside and inside
    width: int = 1024  # channels of every block
    blocks: int = 6  # blocks in the encoder, and again in the decoder
    expansion: int = 2  # inner width of a block over its width
    kernel: int = 7  # frames that a depthwise convolution sees


@dataclass(frozen=True)
class PredictorConfig:
    """The recurrent predictor: three GRU cells and one SwiGLU layer."""

    channels: int = 64
    hidden: int = 128
    layers: int = 3
    inner: int = 512  # width inside the SwiGLU layer


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Patch discriminator that sees the latents as a one-channel image (channels × frames)."""

    width: int = 256
    layers: int = 4  # middle layers; each shortens time by four frames


@dataclass(frozen=True)
class SelectionConfig:
    """How frames are chosen in training."""

    solver: str = "greedy"
    keep_low: float = 0.5  # kept fractions are drawn between these two, one a clip
    keep_high: float = 0.995
    max_offset: int = 12  # K: the most frames replaced after one anchor


@dataclass(frozen=True)
class LossConfig:
    """Weights of the objective; the predictor's own terms reach the predictor alone."""

    reconstruction: float = 2.0
    adversarial: float = 0.5
    feature_matching: float = 1.0
    kl: float = 1e-4
    rollout: float = 0.4
    replaced: float = 0.1
    horizon: int = 5  # steps of the rollout term


@dataclass(frozen=True)
class HNetConfig:
    """Routing of H-Net, and the condition that H-Net-YOTO adds."""

    width: int = 16  # of the two projections whose angle says where a chunk begins
    ratio: float = 0.75  # weight of the loss that holds the kept fraction
    frequencies: int = 32  # learned, of the kept fraction
    condition: int = 128  # channels that the blocks are told it in


@dataclass(frozen=True)
class CodecSlimeConfig:
    """CodecSlime's two stages: melt on random segments, then cool on chosen ones."""

    melt: float = 0.4  # share of the steps
    whole: float = 0.5  # share of the clips that melt leaves as they are
    proportions: tuple[float, ...] = (0.1, 0.45, 0.25, 0.2)  # of segments of 1, 2 … at melt's end
    concentration: float = 30.0  # of the Dirichlet distribution around them
    cool_rate: float = 0.5  # learning rates of cool over melt's; the discriminator's stays


@dataclass(frozen=True)
class OptimiserConfig:
    """Muon for matrices, AdamW for everything else; AdamW alone for the discriminator."""

    muon_lr: float = 1e-3
    muon_momentum: float = 0.95
    muon_weight_decay: float = 0.01
    adamw_lr: float = 1e-4
    adamw_eps: float = 1e-15
    discriminator_lr: float = 1e-4
    weight_decay: float = 1e-4
    clip_norm: float = 50.0
    warmup: int = 0  # steps of linear rise; the paper has none
    cosine: bool = False  # fall to zero along a cosine; the paper's rate is constant


@dataclass(frozen=True)
class TrainingConfig:
    """One training run of one method, from its networks to its seed."""

    method: str = "elastic_time"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    selection: SelectionConfig = field(default_factory=SelectionConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    hnet: HNetConfig = field(default_factory=HNetConfig)
    codecslime: CodecSlimeConfig = field(default_factory=CodecSlimeConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    steps: int = 250_000
    batch: int = 64  # clips a step
    frames: int = 96  # latent frames a clip: 4.46 s at 21.5 Hz
    marked: bool = False  # whether Elastic Time's decoder is told which frames were predicted
    gap_exponent: float = 0.0  # its l-th frame after an anchor costs l to this power as much
    seed: int = 0


@dataclass(frozen=True)
class SpectralVAEConfig:
    """The bundled autoencoder: log-mel spectrogram to latents and back."""

    sample_rate: int = 22_050
    fft: int = 2048
    hop: int = 256  # samples between spectrogram frames
    group: int = 4  # spectrogram frames in one latent frame: 1024 samples, 21.5 Hz
    bands: int = 160  # mel bands
    low_hz: float = 20.0
    channels: int = 64
    width: int = 384
    blocks: int = 3
    expansion: int = 3
    kernel: int = 7
    iterations: int = 32  # Griffin–Lim rounds, where that is the decoder


@dataclass(frozen=True)
class PhaseHeadConfig:
    """The learned decoder from log-mel frames to the waveform."""

    bands: int = 160
    fft: int = 2048  # the autoencoder's own
    hop: int = 256
    width: int = 256
    blocks: int = 6
    expansion: int = 3
    kernel: int = 7


@dataclass(frozen=True)
class CropConfig:
    """How training crops are drawn from the corpus."""

    domains: tuple[str, ...] = ("music", "speech", "effects")
    weights: tuple[float, ...] = (0.5, 0.25, 0.25)  # how often a crop comes from each domain
    gain_db: tuple[float, float] = (-20.0, 3.0)  # crops are played louder and softer than they are


BASE_OPTIMISER = OptimiserConfig(muon_lr=5e-3, adamw_lr=1.5e-3, adamw_eps=1e-8, clip_norm=1.0)
PHASE_OPTIMISER = replace(BASE_OPTIMISER, muon_lr=2e-2, adamw_lr=2e-3)


@dataclass(frozen=True)
class BaseTrainingConfig:
    """One training run of the bundled autoencoder, without its phase decoder."""

    network: SpectralVAEConfig = field(default_factory=SpectralVAEConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    steps: int = 3_000
    batch: int = 16
    frames: int = 86  # latent frames a crop: 4 s
    optimiser: OptimiserConfig = field(default_factory=lambda: BASE_OPTIMISER)
    kl: float = 1e-4
    slowness: float = 0.05  # weight of the change from frame to frame
    seed: int = 0


@dataclass(frozen=True)
class PhaseLossConfig:
    """Weights of the phase decoder's objective."""

    log_magnitude: float = 0.5
    log_mel: float = 2.0
    convergence: float = 0.5
    phase: float = 1.0


@dataclass(frozen=True)
class PhaseTrainingConfig:
    """One training run of the phase decoder, on a frozen autoencoder's spectrograms."""

    network: PhaseHeadConfig = field(default_factory=PhaseHeadConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    steps: int = 3_000
    batch: int = 8
    frames: int = 32  # latent frames a crop: 1.5 s
    true_share: float = 0.25  # of crops whose own spectrogram is the input, not the decoded one
    optimiser: OptimiserConfig = field(default_factory=lambda: PHASE_OPTIMISER)
    loss: PhaseLossConfig = field(default_factory=PhaseLossConfig)
    seed: int = 0


LITE = TrainingConfig(
    network=NetworkConfig(width=184, blocks=4),
    discriminator=DiscriminatorConfig(width=24),
    optimiser=OptimiserConfig(muon_lr=1e-2, adamw_lr=3e-3, discriminator_lr=5e-4, cosine=True),
    # Ten times the paper's: after so few steps a weaker pull leaves the inner latents white, and a
    # squared error between them then says little about the sound (benchmarks/lite_preset.md).
    loss=LossConfig(kl=1e-3),
    steps=600,
    batch=32,
    marked=True,
    gap_exponent=0.7,
)
MEDIUM = TrainingConfig(
    network=NetworkConfig(width=512, blocks=6),
    discriminator=DiscriminatorConfig(width=64),
    optimiser=OptimiserConfig(muon_lr=3e-3, adamw_lr=5e-4, discriminator_lr=3e-4, cosine=True),
    steps=10_000,
    marked=True,
    gap_exponent=0.7,
)
PAPER = TrainingConfig()
PRESETS: dict[str, TrainingConfig] = {"lite": LITE, "medium": MEDIUM, "paper": PAPER}
BASE_PRESETS = {"cpu": BaseTrainingConfig(), "gpu": BaseTrainingConfig(steps=40_000, batch=64)}
PHASE_PRESETS = {"cpu": PhaseTrainingConfig(), "gpu": PhaseTrainingConfig(steps=100_000, batch=64)}


@dataclass(frozen=True)
class System:
    """What is compared: a method, how it chooses frames in training, and its loss."""

    method: str
    selection: SelectionConfig
    loss: dict[str, float] = field(default_factory=dict)  # weights other than the preset's
    changes: dict[str, Any] = field(default_factory=dict)  # of the preset's other fields


HALF_DP = SelectionConfig("dp", keep_high=0.5)
SYSTEMS: dict[str, System] = {
    "et-greedy": System("elastic_time", SelectionConfig()),
    "et-greedy@0.5": System("elastic_time", SelectionConfig(keep_high=0.5)),
    "et-dp": System("elastic_time", SelectionConfig("dp")),
    "et-dp@0.5": System("elastic_time", HALF_DP, {"rollout": 0.01, "replaced": 0.04}),
    "et-dp-widerange": System("elastic_time", SelectionConfig("dp", keep_low=0.2)),
    "conv-downsample": System("conv_downsample", SelectionConfig("stride", 0.5, 0.5, 1)),
    "codecslime": System("codecslime", SelectionConfig("codecslime", 0.5, 0.5, 3)),
    "hnet@0.5": System("hnet", SelectionConfig("routing", keep_high=0.5)),
    "hnet-yoto": System("hnet_yoto", SelectionConfig("routing")),
    "uniform-hold": System("uniform_hold", SelectionConfig("uniform")),  # our control
}
# Elastic Time without one of its parts: trained to be measured, and not shipped.
WITHOUT: dict[str, dict[str, Any]] = {
    "horizon-1": {"loss": {"horizon": 1}},
    "no-adversary": {"loss": {"adversarial": 0, "feature_matching": 0}},
    "unmarked": {"changes": {"marked": False}},
    "plain-costs": {"changes": {"gap_exponent": 0.0}},
}
ABLATIONS = {
    f"et-greedy-{name}": System("elastic_time", SelectionConfig(), **what)
    for name, what in WITHOUT.items()
}


def preset(name: str, system: str = "et-greedy", **changes: Any) -> TrainingConfig:
    """A named training preset of a named system, with some fields changed.

    ValueError for an unknown name.
    """
    systems = {**SYSTEMS, **ABLATIONS}
    for value, kind, known in ((name, "preset", PRESETS), (system, "system", systems)):
        if value not in known:
            raise ValueError(
                f"{kind} {value!r} is not one of {', '.join(known)}: choose one of those"
            )
    own, base = systems[system], PRESETS[name]
    loss = replace(base.loss, **own.loss)  # type: ignore[arg-type]
    base = replace(base, method=own.method, selection=own.selection, loss=loss, **own.changes)
    return replace(base, **changes)


to_dict = asdict  # a configuration as plain JSON values


def from_dict(kind: type[ConfigType], values: dict[str, Any]) -> ConfigType:
    """A configuration from `to_dict`'s values. ValueError names a field that `kind` lacks."""
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"configuration field {unknown[0]!r} is unknown to {kind.__name__}: "
            "the file was made by another version, so install that version or retrain"
        )
    built: dict[str, Any] = {}
    for name, value in values.items():
        default = known[name].default_factory if isinstance(value, dict) else None
        if isinstance(value, dict) and is_dataclass(default):
            value = from_dict(default, value)
        built[name] = tuple(value) if isinstance(value, list) else value
    return kind(**built)
