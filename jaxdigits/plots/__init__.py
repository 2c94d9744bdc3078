"""Figures: arrays in, a matplotlib Figure out; and the report of a run.

matplotlib comes with the extra `plots`.  It is imported when a figure is drawn; without it each
figure raises an ImportError that says how to install it.  No figure uses pyplot or chooses a
backend: `figure.savefig("name.png")`.
"""

from jaxdigits.plots.curves import (
    corruption_figure,
    learning_figure,
    lines_figure,
    pareto_figure,
    ratio_figure,
)
from jaxdigits.plots.gradients import agreement_figure, alignment_figure, cosines_figure
from jaxdigits.plots.images import (
    augmentation_figure,
    images_figure,
    saliency_figure,
    weights_figure,
)
from jaxdigits.plots.mistakes import confusion_figure, mistakes_figure
from jaxdigits.plots.spikes import (
    membrane_figure,
    raster_figure,
    rates_figure,
    spike_times_figure,
)

__all__ = [
    "agreement_figure",
    "alignment_figure",
    "augmentation_figure",
    "confusion_figure",
    "corruption_figure",
    "cosines_figure",
    "images_figure",
    "learning_figure",
    "lines_figure",
    "membrane_figure",
    "mistakes_figure",
    "pareto_figure",
    "raster_figure",
    "rates_figure",
    "ratio_figure",
    "saliency_figure",
    "spike_times_figure",
    "weights_figure",
]
