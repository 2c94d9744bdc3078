"""Importing the package is cheap, and changes nothing for the program that imports it."""

import json
import subprocess
import sys

HEAVY = ("optax", "scipy", "PIL", "pooch", "matplotlib", "tqdm", "shtab", "sklearn", "pandas")
PROBE = """
import json, os, sys
import jax
alone, config, flags = set(sys.modules), dict(jax.config.values), dict(os.environ)
import jaxdigits
jaxdigits.snn, jaxdigits.check, jaxdigits.data
report = dict(
    added=sorted({name.split(".")[0] for name in set(sys.modules) - alone}),
    changed=[name for name in config if config[name] != jax.config.values[name]]
    + [name for name in os.environ if os.environ[name] != flags.get(name)],
    backends=bool(jax._src.xla_bridge._backends),
)
from jaxdigits import train
report["train"] = train.__name__
print(json.dumps(report))
"""


def test_import_is_light_and_leaves_jax_as_it_was():
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=300
    )
    report = json.loads(done.stdout)
    assert "jaxdigits" in report["added"]
    assert [name for name in HEAVY if name in report["added"]] == []
    assert report["changed"] == []
    assert report["backends"] is False  # no device is touched before it is needed
    assert report["train"] == "jaxdigits.train"
    assert done.stderr == ""
