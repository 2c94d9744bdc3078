"""EventProp [1]: the exact gradient of a network whose spikes are times.

A spike of a neuron on a grid of steps is 0 or 1, and its derivative has to be invented: a
surrogate.  A spike that comes at the time when a potential meets the threshold has a derivative
of its own: the derivative of this time.  So the gradient is exact for the loss:

    V(t_k) = θ   ⇒   δt_k = −δV(t_k) / V̇(t_k)

EventProp sends the error back along the time axis, by the adjoint of the neurons' equations,
which jumps at each spike.  Here the layers of an event-driven network have that adjoint as
their `backward` (`jaxdigits.spikes.event_lif` derives it), and the rule is to chain them:
backpropagation.

It does not see a spike that would come or go.  Where one does, the loss jumps.

[1] Wunderlich & Pehle, Sci. Rep. 11, 2021, doi:10.1038/s41598-021-91786-z.
"""

from jaxdigits.chain import Chain, Parts, in_series
from jaxdigits.gradients.rules.rule import LearningRule
from jaxdigits.layer import Layer


def eventprop() -> Chain:
    """EventProp for networks of event-driven neurons, as `event_snn`.

    Raises:
      ValueError: by the chain, for a network whose spikes come at steps, or that has none.
    """

    def chain(parts: Parts) -> Layer:
        if not parts.events:
            spikes = "they come at steps" if parts.steps else "nothing spikes"
            raise ValueError("EventProp is for spikes that come at times, as in event_snn; in "
                             f"this network {spikes}")  # fmt: skip
        return in_series(parts)

    return chain


RULES = {"eventprop": LearningRule(eventprop())}
