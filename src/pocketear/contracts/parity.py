"""parity: how far every runtime is from the reference."""

from pocketear.contracts.report_file import Contract


class ParityCell(Contract):
    """One stage of one runtime. Figures are None where they cannot be known; `absent` says why.

    max_abs: in the stage's own unit (features: dB or nepers); max_rel: relative, by stage
    flips: share of real clips with another label than the reference's; of scores only
    limits: figure -> the limit of params.gate that judges it
    worst: the clip or probe with the largest relative error
    """

    runtime: str
    stage: str
    limits: dict[str, str]
    max_abs: float | None = None
    max_rel: float | None = None
    snr_db: float | None = None
    flips: float | None = None
    worst: str = ""
    absent: str = ""

    def figure(self, name: str) -> float | None:
        """One of the figures that `limits` names."""
        value: float | None = getattr(self, name)
        return value


class ParityReport(Contract):
    """parity.json, by parity. windows: names of the clips and probes compared."""

    windows: tuple[str, ...]
    entries: tuple[ParityCell, ...]
