"""The space of each network holds values that the network takes."""

import pytest

from jaxdigits.runs.usual import CONFIGS
from jaxdigits.search.buildable import require_buildable
from jaxdigits.search.defaults import AUTO, SPACES, auto_entries, space_entries
from jaxdigits.search.groups import Facts, all_groups, default_settings
from jaxdigits.search.space import Choice, Real, Space

FACTS = Facts("digits", None, 3)


@pytest.mark.parametrize("network", [*SPACES, "spiking_columns"])
def test_a_network_is_built_at_each_end_of_its_space(network):
    data = "fields" if network == "spiking_columns" else "digits"
    entries = space_entries(network, CONFIGS[f"{network}-{data}"].learning_rate)
    require_buildable(Space(**entries), FACTS._replace(data=data))
    spoilt = Space(**entries | {"weight_decay": Real(-0.1, 0.1)})
    with pytest.raises(ValueError, match=r"weight_decay must be finite and >= 0, got -0\.1"):
        require_buildable(spoilt, FACTS._replace(data=data))


def test_auto_begins_with_the_default_of_each_network_and_has_groups_of_all():
    space = Space(**auto_entries())
    assert [s["network"] for s in default_settings(space, FACTS)] == list(AUTO)
    groups = all_groups(space, FACTS, 0)
    assert [g["network"] for g in groups[:3]] == list(AUTO)
    assert {g["network"] for g in groups[3:]} == set(AUTO)
    assert "batch" in space.entries, "shared by all"
    assert not any("hidden" in name.split(".")[1] for g in groups for name in g
                   if "." in name and not name.startswith(g["network"]))  # fmt: skip


def test_the_default_has_the_nearest_values_that_a_space_of_ones_own_has():
    space = Space(
        network="mlp", hidden=Choice((32,), (64,)), ema=Choice(0.9, 0.97),
        norm=Choice(None, "batch"), learning_rate=Real(1e-2, 3e-2),
        dropout_rate=Real(0.5, 0.9), batch=Choice(Real(8, 16, whole=True), 32),
    )  # fmt: skip
    (usual,) = default_settings(space, FACTS)
    assert usual == dict(
        network="mlp", hidden=(32,), ema=0.97, norm=None, learning_rate=1e-2, dropout_rate=0.5,
        batch=32,
    )  # fmt: skip
    assert all(group["hidden"] in {(32,), (64,)} for group in all_groups(space, FACTS, 0))
