"""groups: which clips are of one recording, and what says so."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from pocketear.contracts.report_file import Contract

# same_file: parts of one file; same_sound: the same sound is in both, shifted, louder or coded
# otherwise; continues: one goes on where the other stops; name: their names say so
Kind = Literal["same_file", "same_sound", "continues", "name"]
Find = Literal["auto", "always", "never"]  # groups.find, of params.yaml


class Evidence(Contract):
    """joins: pairs of clips that it joins; weakest: strength of the weakest of them, 0 to 1.

    same_sound: correlation of the whitened waveforms; continues: share of the power at the cut that
    is predicted; same_file: 1; name: 1 where it is enough, else how alike the clips sound
    """

    kind: Kind
    joins: PositiveInt
    weakest: float


class FoundRecording(Contract):
    """A group that was found, or a given one that clips without a group were added to."""

    group: str
    clips: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class Leak(Contract):
    """One sound in two given groups, in two folds or under two labels. values: of `what`, each."""

    what: Literal["group", "fold", "label"]
    clips: tuple[str, str]
    values: tuple[str, str]
    correlation: float


class Groups(Contract):
    """groups.json, by group. given, found, unknown: clips by where their group is from."""

    find: Find
    given: NonNegativeInt
    found: NonNegativeInt
    unknown: NonNegativeInt
    recordings: tuple[FoundRecording, ...] = ()
    leaks: tuple[Leak, ...] = ()

    @property
    def known_share(self) -> float:
        """Of the clips: those whose group was given or found."""
        count = self.given + self.found + self.unknown
        return 1 - self.unknown / count if count else 1.0

    @property
    def warning(self) -> str:
        """What a reader of the accuracy must know; "" where every group is known."""
        if not self.unknown:
            return ""
        return (
            f"groups unknown of {1 - self.known_share:.0%} of the clips: "
            "accuracy on new people will be lower"
        )
