"""Workarounds for compilers, each behind a plain name, with its measured gain.

The plain way of each stands beside it: `JAXDIGITS_FAST=0` in the environment, or the context
`jaxdigits.fast.switch.without`, runs everything that way.  A workaround stays while a workload
of `jaxdigits bench` gains 5 % or more.  `experiments/workarounds.py` measures that; run it on
a new version of JAX, and delete what no longer gains.

    convolutions    the order of axes that XLA knows; an input gradient as a band matrix
    products        a single row, narrow weights, bfloat16, sums of rows, barriers
    scan            recurrences without weights: in_place on a CPU, kernel on a GPU
    threefry        random words with the rounds written out
    flags           XLA's own, set before JAX starts
    allocator       freed memory is kept, for `jaxdigits bench`
    switch          all on or off
"""
