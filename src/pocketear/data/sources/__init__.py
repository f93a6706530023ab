"""sources: a dataset as it lies on disk -> rows of path, label, group, fold, start, end.

To add one: a file with a class that has `read`, its name here, and its name in params.DataParams.
"""

from pocketear.data.sources.csv import Csv
from pocketear.data.sources.esc import Esc
from pocketear.data.sources.esc10 import Esc10
from pocketear.data.sources.folder import Folder
from pocketear.data.sources.recipe import Recipe
from pocketear.data.sources.row import Source

SOURCES: dict[str, Source] = {
    "csv": Csv(),
    "esc": Esc(),
    "esc10": Esc10(),
    "folder": Folder(),
    "recipe": Recipe(),
}
