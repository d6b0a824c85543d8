"""The systems that shorten a sequence of latents, behind one interface; one file a method."""

from et_lite.config import TrainingConfig
from et_lite.methods.base import ReBottleneck, TrainingPass
from et_lite.methods.elastic_time import ElasticTime
from et_lite.methods.uniform_hold import UniformHold

METHODS: dict[str, type[ReBottleneck]] = {
    "elastic_time": ElasticTime,
    "uniform_hold": UniformHold,
}


def build(config: TrainingConfig) -> ReBottleneck:
    """The untrained method that `config.method` names. ValueError for an unknown name."""
    if config.method not in METHODS:
        raise ValueError(
            f"method {config.method!r} is not one of {', '.join(METHODS)}: choose one of those"
        )
    return METHODS[config.method](config)


__all__ = ["METHODS", "ReBottleneck", "TrainingPass", "build"]
