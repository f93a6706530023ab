"""recipe: a synthetic set, rendered from a committed YAML file before it is listed."""

from pathlib import Path

from pocketear.data.sources.row import Listing, Row
from pocketear.data.synthesis.recipe import load_recipe
from pocketear.data.synthesis.render import render_all


class Recipe:
    """A recipe of data/recipes. Clips of one number share a voice, a room and a microphone."""

    def read(self, path: Path, made: Path) -> Listing:
        """Render every clip into `made`/LABEL."""
        recipe = load_recipe(path)
        return Listing(
            [Row(file, clip.label, clip.group_name) for clip, file in render_all(recipe, made)]
        )
