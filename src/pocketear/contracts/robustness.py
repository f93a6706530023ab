"""robustness: the file that ships on changed test clips."""

from pydantic import NonNegativeInt, RootModel

from pocketear.contracts.report_file import Contract


class Robustness(Contract):
    """How well labels survive one condition. Shares in [0, 1]."""

    clips: NonNegativeInt
    accuracy: float
    recall: dict[str, float]

    @property
    def worst(self) -> str:
        """The label with the lowest recall."""
        return min(self.recall, key=lambda label: self.recall[label])


class RobustnessReport(RootModel[dict[str, Robustness]]):
    """robustness.json, by robustness: condition -> what the file that ships on Android scored."""

    def get(self, condition: str) -> Robustness | None:
        """What was measured of a condition; None if nothing was."""
        return self.root.get(condition)
