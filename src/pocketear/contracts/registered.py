"""registered: what a version in the registry is found by."""

from pocketear.contracts.report_file import Contract


class Registered(Contract):
    """registered.json, by register: what a version in the registry is found by.

    name: of the registered model; identity: SHA-256 over files, verdict and serving code
    """

    name: str
    identity: str
