"""normalisation: what featurize measured on the training side."""

from pocketear.contracts.report_file import Contract


class Normalisation(Contract):
    """normalisation.json, by featurize: of each coefficient over the training side."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
