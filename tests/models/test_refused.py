"""Networks refuse options and sizes by name."""

from functools import partial

import jax
import pytest

from jaxdigits import cnn, conv_snn, mlp, snn
from jaxdigits.chain import in_series
from jaxdigits.spikes import rate

BUILDERS = {"mlp": mlp, "cnn": cnn, "snn": snn, "conv_snn": conv_snn}


def made(network, size):
    """The params of a network, as shapes only."""
    return jax.eval_shape(lambda key: network.init(key, size)[0], jax.random.key(0))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        *[(partial(build, norm="instance"), "norm must be one of None, .*'instance'")
          for build in BUILDERS.values()],
        *[(partial(build, pool="median"), "pool must be one of max, average, got 'median'")
          for build in (cnn, conv_snn)],
        *[(partial(build, dropout_rate=1.0), "rate must be in") for build in BUILDERS.values()],
        *[(partial(build, precision="half"), "precision must be one of full, mixed, got 'half'")
          for build in BUILDERS.values()],
        *[(partial(build, storage="nibble"), "storage must be one of .*bit, got 'nibble'")
          for build in (snn, conv_snn)],
        *[(partial(snn, chain=lambda parts: in_series(parts), **option),
           "recompute and storage are for backpropagation")
          for option in (dict(recompute=True), dict(storage="bit"), dict(storage="byte"))],
        *[(partial(build, scale="digit"), "scale must be one of data, image, got 'digit'")
          for build in (mlp, cnn, conv_snn)],
        (partial(conv_snn, encoder=rate, scale="image"), "only a direct input has a scale"),
        *[(partial(build, rate_penalty=-1.0), "must be finite and >= 0")
          for build in (snn, conv_snn)],
        (partial(conv_snn, channels=()), "channels must name at least one block"),
        (partial(snn, steps=0), "steps must be >= 1, got 0"),
        (lambda: made(cnn(), (7, 7)), "pooling by 2 needs features"),
        (lambda: made(conv_snn(), (10, 10)), "5×5 kernel does not fit into 3×3"),
        (lambda: made(mlp(hidden=(12,), norm="group"), (12, 12)), "12 channels .* 8 groups"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(make, match):
    with pytest.raises(ValueError, match=match):
        make()
