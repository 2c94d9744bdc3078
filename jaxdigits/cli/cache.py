"""JAX's persistent compilation cache, in the folder that JAXDIGITS_CACHE names.

JAX executes the entries, and XLA does not check that an entry suits this CPU: do not share the
folder between machines or users.
"""

import os
from pathlib import Path

VARIABLE = "JAXDIGITS_CACHE"


def keep_compiled_programs() -> None:
    """Store compiled programs in the folder JAXDIGITS_CACHE, if it is set, for later starts."""
    if folder := os.environ.get(VARIABLE):
        import jax

        jax.config.update(
            "jax_compilation_cache_dir", str(Path(folder).expanduser().absolute())
        )
        # JAX's default leaves out programs that compile within a second; a start has several.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
