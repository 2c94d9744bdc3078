"""The result of a search in words: trials, winner, doubt, and the command for the winner."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from jaxdigits.runs.config import NOT_SETTINGS, Config
from jaxdigits.runs.usual import config_for
from jaxdigits.search.texts import text_of


class Number(NamedTuple):
    """One of the four numbers of a search."""

    name: str
    value: str
    note: str
    """its 95 % interval, or the data that it is of"""


def percent(share: float | None) -> str:
    """Return a share as a percentage with two decimals; without a number, a dash."""
    return "–" if share is None or share != share else f"{100 * share:.2f} %"


def tried_and_won(result: Mapping[str, Any]) -> str:
    """Return the number of trials, and the settings of the winner."""
    chosen = ", ".join(f"{name} {text}" for name, text in result["settings"].items())
    effort = f"{result['trials']} trials, {result['member_epochs']} epochs"
    missing = ", ".join(result.get("untried", ()))
    effort += f" (no time for {missing})" if missing else ""
    return f"{effort}; the winner: {chosen}"


def against_default(result: Mapping[str, Any]) -> str:
    """Return whether the winner is better than the hand-tuned default."""
    gain = result["better_than_default"]
    if not result["trials"]:
        return "no trial was compared in this time, so this is the default: raise --minutes"
    if gain is None and any(
        row["default"] and row["trial"] == result["winner"] for row in result["fresh"]
    ):
        return "the hand-tuned default won"
    if gain is None:
        return "nothing to compare: the default had no time to train anew: raise --minutes"
    interval = _interval(gain["low"], gain["high"])
    if gain["low"] <= 0:
        return f"no better than the default: {percent(gain['value'])}, interval {interval}"
    return f"better than the default by {percent(gain['value'])}, interval {interval}"


def luck_of(result: Mapping[str, Any]) -> str:
    """Return how much of the claim was luck, by the correction and by fresh seeds."""
    if not result["trials"]:
        return "The default was trained with fresh seeds, and nothing was chosen."
    lost = result["claimed"] - result["corrected"]["value"]
    return (
        f"The best trial claims {percent(result['claimed'])} on validation data. The best of "
        f"{result['trials']} trials looks better than it is: on images that chose nothing, "
        f"{100 * max(lost, 0.0):.2f} points less are to be expected of a trial. The winner "
        "trains for longer, on all training data."
    )


def four_numbers(result: Mapping[str, Any]) -> list[Number]:
    """Return claim, correction, fresh seeds and test."""
    correction, test = result["corrected"], result["test_interval"]
    winner = next(row for row in result["fresh"] if row["trial"] == result["winner"])
    return [
        Number("claimed by the best trial", percent(result["claimed"]), ""),
        Number("corrected for its luck with images", percent(correction["value"]),
               _interval(correction["low"], correction["high"])),
        Number("trained anew with fresh seeds", percent(result["fresh_mean"]),
               f"validation, mean of {len(winner['accuracy'])}"),
        Number("on the test set", percent(result["test_accuracy"]), _interval(*test)),
    ]  # fmt: skip


def command_of(config: Config) -> str:
    """Return the command that trains a configuration."""
    own = config.own is not None
    usual = config_for(config.network, None if own else config.data, own=config.own)
    words = ["jaxdigits", "train", config.network, "--data", config.data]
    names = [f.name for f in fields(Config) if f.name not in ("data", *NOT_SETTINGS)]
    changes = {
        name: getattr(config, name) for name in names
        if getattr(config, name) != getattr(usual, name) or (own and name == "batch")
    }  # fmt: skip
    before = usual.options
    changes |= {n: v for n, v in config.options.items() if n not in before or before[n] != v}
    changes.pop("classes", None)
    if config.own is not None and config.own.group_by:
        changes["group_by"] = config.own.group_by
    for name, value in changes.items():
        words.append("--" + name.replace("_", "-"))
        if isinstance(value, tuple):
            words += [text_of(part) for part in value]
        elif value is not True:
            words.append(text_of(value))
    return shlex.join(words)


def _interval(low: float | None, high: float | None) -> str:
    return f"[{percent(low)}, {percent(high)}]"
