"""Imported graphs against traces of released importers, by hand, and against JAX."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest_interop import *  # placeholder
