"""The systems that shorten a sequence of latents, behind one interface; one file a method."""

from et_lite.config import TrainingConfig
from et_lite.methods.base import ReBottleneck, Stage, TrainingPass
from et_lite.methods.codecslime import CodecSlime
from et_lite.methods.conv_downsample import ConvDownsample
from et_lite.methods.elastic_time import ElasticTime
from et_lite.methods.hnet import HNet
from et_lite.methods.hnet_yoto import HNetYoto
from et_lite.methods.uniform_hold import UniformHold

METHODS: dict[str, type[ReBottleneck]] = {
    "elastic_time": ElasticTime,
    "conv_downsample": ConvDownsample,
    "codecslime": CodecSlime,
    "hnet": HNet,
    "hnet_yoto": HNetYoto,
    "uniform_hold": UniformHold,
}


def build(config: TrainingConfig) -> ReBottleneck:
    """The untrained method that `config.method` names. ValueError for an unknown name."""
    if config.method not in METHODS:
        raise ValueError(
            f"method {config.method!r} is not one of {', '.join(METHODS)}: choose one of those"
        )
    return METHODS[config.method](config)


__all__ = ["METHODS", "ReBottleneck", "Stage", "TrainingPass", "build"]
