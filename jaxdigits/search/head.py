"""The head of a journal: everything that decides which trials there are, as JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdigits.data.own_facts import Own
from jaxdigits.errors import RunError
from jaxdigits.search.groups import Facts
from jaxdigits.search.texts import frozen, space_from_json, space_to_json
from jaxdigits.search.work import Plan


def head_of(plan: Plan, images: int | None) -> dict[str, Any]:
    """Return the head of a plan.

    Args:
      images: training images of the trials; None: all.
    """
    facts = plan.facts
    return dict(
        space=space_to_json(plan.space), data=facts.data,
        own=facts.own._asdict() if facts.own else None, longest=facts.epochs, seed=plan.seed,
        goal=plan.goal, sampler=plan.sampler, lanes=plan.width, folds=plan.folds,
        images=images, host=list(plan.host),
    )  # fmt: skip


def plan_of(folder: Path, head: Mapping[str, Any]) -> tuple[Plan, int | None]:
    """Return the (plan, images) of a head.

    Raises:
      RunError: for a head that is none, naming the folder.
    """
    try:
        own = head["own"]
        own = Own(**{n: frozen(v) for n, v in own.items()}) if own else None
        facts = Facts(head["data"], own, head["longest"])
        rest = head["seed"], head["goal"], head["sampler"], head["lanes"], head["folds"]
        host = tuple(head["host"])
        return Plan(space_from_json(head["space"]), facts, *rest, host), head["images"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder} has a journal that cannot be used: {error}") from error
