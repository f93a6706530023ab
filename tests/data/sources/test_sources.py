from typing import get_args

from pocketear.data.sources import SOURCES
from pocketear.params import DataParams


def test_every_source_can_be_chosen_in_params_and_no_other() -> None:
    assert set(SOURCES) == set(get_args(DataParams.model_fields["source"].annotation))
