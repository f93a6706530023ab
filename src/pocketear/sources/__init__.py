"""sources: a dataset as it lies on disk -> rows of path, label, group, fold, start, end.

To add one: a file with a class that has `read`, its name here, and its name in params.DataParams.
"""

from pocketear.sources.csv import Csv
from pocketear.sources.esc import Esc
from pocketear.sources.esc10 import Esc10
from pocketear.sources.folder import Folder
from pocketear.sources.recipe import Recipe
from pocketear.sources.row import Source

SOURCES: dict[str, Source] = {
    "csv": Csv(),
    "esc": Esc(),
    "esc10": Esc10(),
    "folder": Folder(),
    "recipe": Recipe(),
}
