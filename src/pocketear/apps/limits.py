"""limits: what a model's card says that its scores cannot know, printed beside them."""

import sys

from pocketear.runtimes.card import ModelCard


def print_limits(card: ModelCard) -> None:
    """A line on standard error, if there is something to say."""
    if card.rendered:
        print(
            f"note: {card.name} {card.version} is a demonstration: it was trained on rendered "
            "sounds only, so it is often wrong about real recordings",
            file=sys.stderr,
            flush=True,
        )
