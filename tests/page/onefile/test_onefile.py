"""A run as one file: its size, its precision, its policy, and runs that have no page."""

import base64
import hashlib
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxdigits
from jaxdigits.data import digits
from jaxdigits.page.onefile import LARGEST, export_page, to_page
from jaxdigits.runs import Config, config_for, load_run
from jaxdigits.runs.export import member_of
from jaxdigits.runs.folder import Run

BOX = Path(jaxdigits.__file__).parent / "box"


def run_of(network="mlp", data="digits", **options):
    """A run of a network that never learned."""
    config: Config = config_for(network, data, options=options)
    network = config.build()(training=True)
    return Run(config, network.init(jax.random.key(0), config.features)[0], ())


def facts_of(html):
    return json.loads(re.search(r'id="network">(.*?)</script>', html, re.S)[1])


def test_the_page_holds_the_box_in_full_precision_and_loads_nothing():
    run = load_run(BOX)
    page = to_page(run, member_of(run))
    assert (page.bits, len(page.html) < LARGEST // 4) == (32, True)
    assert not re.search(r"(src|href)\s*=|@import|url\(|https?://(?!www\.w3\.org)", page.html)
    facts = facts_of(page.html)
    assert facts["names"] == list(run.config.names)
    assert facts["temperature"] == run.temperature
    assert 0.5 < facts["unsure"]["limit"] < 1


def test_the_policy_allows_the_page_s_own_script_and_style_alone():
    run = run_of(hidden=4)
    html = to_page(run, member_of(run)).html
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)[1]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_a_large_network_has_the_most_bits_that_fit():
    run = run_of(hidden=(400,))
    page = to_page(run, member_of(run))
    assert 10 <= page.bits <= 24
    weights = sum(p["weight"].size for p in run.params if "weight" in p)
    assert LARGEST - weights / 6 <= len(page.html) <= LARGEST  # one bit more would not fit
    pairs = [pair for pair in zip(page.params, run.params, strict=True) if "weight" in pair[0]]
    differ = [np.abs(a["weight"] - b["weight"]).max() for a, b in pairs]
    assert all(0 < d < 2 ** (2 - page.bits) for d in differ)


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (lambda: run_of(hidden=(1000, 200)), "too many for a page of 1,000,000 bytes"),
        (lambda: run_of("event_snn", hidden=(4,)), "event_"),
        (lambda: run_of("multimodal", "digits+fsdd"), "takes other inputs"),
        (lambda: run_of("columns", "fields", norm=None), "takes other inputs"),
    ],
)
def test_a_run_without_a_page_is_refused_in_a_line(run, text):
    run = run()
    with pytest.raises(ValueError, match=text) as error:
        to_page(run, member_of(run))
    assert "\n" not in str(error.value)


def test_the_manifest_says_the_bits_and_the_comparison(tmp_path):
    run, test = run_of(hidden=(4,)), digits()[1]
    compared = export_page(run, tmp_path / "page.html", test)
    assert compared[:3] == (len(test), 0, 0.0)
    facts = json.loads((tmp_path / "page.html.json").read_text())
    assert (facts["kind"], facts["bits"], facts["inputs"]["pixels"]["shape"]) == (
        "html", 32, [28, 28]
    )  # fmt: skip
