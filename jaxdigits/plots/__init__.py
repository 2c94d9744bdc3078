"""Figures: arrays in, a matplotlib Figure out; and the report of a run.

matplotlib comes with the extra `plots`.  It is imported when a figure is drawn; without it each
figure raises an ImportError that says how to install it.  No figure uses pyplot or chooses a
backend: `figure.savefig("name.png")`.
"""

from jaxdigits.plots.curves import corruption_figure as corruption_figure
from jaxdigits.plots.curves import learning_figure as learning_figure
from jaxdigits.plots.curves import lines_figure as lines_figure
from jaxdigits.plots.curves import pareto_figure as pareto_figure
from jaxdigits.plots.gradients import agreement_figure as agreement_figure
from jaxdigits.plots.gradients import alignment_figure as alignment_figure
from jaxdigits.plots.gradients import cosines_figure as cosines_figure
from jaxdigits.plots.images import augmentation_figure as augmentation_figure
from jaxdigits.plots.images import images_figure as images_figure
from jaxdigits.plots.images import saliency_figure as saliency_figure
from jaxdigits.plots.images import weights_figure as weights_figure
from jaxdigits.plots.mistakes import confusion_figure as confusion_figure
from jaxdigits.plots.mistakes import doubt_figure as doubt_figure
from jaxdigits.plots.mistakes import mistakes_figure as mistakes_figure
from jaxdigits.plots.spikes import membrane_figure as membrane_figure
from jaxdigits.plots.spikes import raster_figure as raster_figure
from jaxdigits.plots.spikes import rates_figure as rates_figure
from jaxdigits.plots.spikes import spike_times_figure as spike_times_figure
