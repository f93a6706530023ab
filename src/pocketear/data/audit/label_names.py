"""label_names: labels that are hardly those that were meant, each in a line for people."""

import difflib
import re

from pocketear.base.errors import shown

_NEAR = 0.85  # likeness of two labels from which one is taken for the other, misspelt
_SIDE = re.compile(
    r"(train|test|val|valid|validation|dev|eval|evaluation)(ing)?[-_ ]?(set|data)?"
    r"|(fold|split)[-_ ]?\d+",
    re.IGNORECASE,
)


def label_problems(labels: tuple[str, ...]) -> list[str]:
    """A line for each way in which labels are hardly those that were meant."""
    problems = []
    if len(labels) == 1:
        problems.append(
            f"{shown(labels[0])} is the only label, and a model would always say it; "
            "add a label of what else is there, such as background"
        )
    sides = [label for label in labels if _SIDE.fullmatch(label)]
    if len(sides) > 1:  # `train` alone may be the vehicle
        problems.append(
            f"labels {', '.join(map(shown, sides))} are names of sides, not of sounds; put the "
            "folders of labels directly into data.path, or give a table with the column fold"
        )
    alike: dict[str, list[str]] = {}
    for label in labels:
        alike.setdefault(re.sub(r"[\s_-]+", "", label.casefold()), []).append(label)
    return problems + [
        f"labels {', '.join(map(shown, same))} differ by case or spaces only; give them one name"
        for same in alike.values()
        if len(same) > 1
    ]


def background_problems(
    labels: tuple[str, ...], background: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """What is wrong with listener.background, and what should be asked about it."""
    near = {
        name: found[0]
        for name in background
        if name not in labels
        and (found := difflib.get_close_matches(name.lower(), map(str.lower, labels), 1, _NEAR))
    }
    wrong = [
        f"listener.background has {shown(name)}, which is no label; is it {shown(found)}?"
        for name, found in near.items()
    ]
    if wrong or not background or set(background) & set(labels):
        return wrong, []
    return [], [
        f"no label is in listener.background ({', '.join(background)}), so each one yields events; "
        "list there what the app should ignore"
    ]
