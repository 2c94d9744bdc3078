"""E-prop: eligibility propagation [1].

A synapse knows how its own neuron responds to its spikes; the rest of the network sends it, at
each step, how much that neuron matters.  For the layer l of vₜ = β vₜ₋₁ + xₜ W + b − θ sₜ₋₁,
its reset held constant, with pseudo-derivative ψₜ = h(vₜ − θ) and e_t the error at the output's
currents:

    eligibility vector    ε_t = β ε_{t−1} + x_t               [m] a trace of the inputs
    eligibility trace     e_t^{ij} = ψ_t^j ε_t^i              of the synapse from i to j
    learning signal       L_t = e_t B_l                       [n] through a feedback matrix
    gradient              W̄_ij = Σ_t L_t^j e_t^{ij}

Put back in the order of time, Σ_t L_t ψ_t ε_t = Σ_t x_t λ_t with λ_t = β λ_{t+1} + ψ_t L_t,
which is the neurons' own `backward` for s̄_t = L_t.  That is how the batched form computes it,
from stored traces; the online form (`online=True`, in `rules.online`) goes forwards, and keeps
ε_t only.  Both are one sum in two orders.

Neurons of a larger state c have a larger eligibility vector, ε_t = (∂c_t/∂c_{t−1}) ε_{t−1} +
∂c_t/∂W, as those with an adaptive threshold in [1].  So do a synaptic current, a reset to a
value and a reset that is differentiated: then each synapse has its ε_t, not each input.  The
neurons' own `backward` is that sum too, so the batched form takes them all; the online form
does not, and neither takes neurons with synapses among them, which [1] follows through no
other neuron.

The error e_t: [1] has a loss at each step of a leaky output, so that the output's leak filters
each e_t^{ij}, one filter per synapse and example.  Here the loss is of the logits, which are
linear in the output's currents, ∂logits/∂i_t = w_t (`leaky_readout`: w_t = Σ_{k≥t} β^{k−t} / T
for the mean, β^{T−t} for the last), so e_t = w_t ∂L/∂logits holds that filter already.

The approximation: the error comes to layer l straight from the output, not through the
layers above and their neurons' memory.  With one hidden layer and symmetric feedback, it is
surrogate BPTT exactly, of the same neurons: with the reset held if theirs is, as in [1].
`rules.broadcast` defines symmetric, random and adaptive feedback.

[1] Bellec et al., Nat. Commun. 11, 2020, doi:10.1038/s41467-020-17236-y, arXiv:1901.09049.
"""

from jaxdigits.chain import Chain, Parts
from jaxdigits.gradients.rules import broadcast as bc
from jaxdigits.gradients.rules.online import online_network
from jaxdigits.gradients.rules.rule import LearningRule, require_spiking
from jaxdigits.layer import Layer


def eprop(
    feedback: bc.Feedback = "symmetric", *, seed: int = 0, gain: float = 1 / 3,
    online: bool = False,
) -> Chain:  # fmt: skip
    """E-prop for spiking networks of dense layers without norms.

    Args:
      feedback: "symmetric", "random" or "adaptive".
      seed: of the feedback matrices, the same for every network.
      gain: B_l is uniform with variance gain / n_l.
      online: in memory that does not grow with the number of steps.

    Raises:
      ValueError: by the chain, for a network that it cannot take, with the reason.
    """

    def chain(parts: Parts) -> Layer:
        require_spiking(parts, "e-prop")
        make = _online if online else bc.broadcast
        return make(parts, feedback, seed, gain)

    return chain


def _online(parts: Parts, feedback: bc.Feedback, seed: int, gain: float) -> Layer:
    bc.check_feedback(parts, feedback, gain)

    def send(params):
        Bs = bc.matrices(params, feedback, seed, gain)  # before the first step
        return lambda e, back: [back(i, e @ B) for i, B in enumerate(Bs)]

    if feedback != "adaptive":
        return online_network(parts, "e-prop", send)
    network = online_network(parts, "e-prop", send, complete=bc.with_feedback)
    return network._replace(init=bc.init_adaptive(parts, seed, gain))


RULES = {"eprop": LearningRule(eprop()), "eprop_random": LearningRule(eprop("random")),
         "eprop_adaptive": LearningRule(eprop("adaptive")),
         "eprop_online": LearningRule(eprop(online=True))}  # fmt: skip
