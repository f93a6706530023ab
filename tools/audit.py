"""Asks whether a locked dependency has a known vulnerability: pip-audit over uv.lock.

    python tools/audit.py [--osv-url URL]

Exit status 1 where one has, 0 where none has, and 0 with a line that says so where the advisory
service cannot be reached: a machine without a network has nothing wrong with it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SERVICE = "https://api.osv.dev/v1/query"
_UNREACHABLE = ("Could not connect", "ConnectionError", "Max retries exceeded", "timed out")


def export(to: Path) -> None:
    """Write the locked dependencies of every group and extra as requirements."""
    uv = os.environ.get("UV") or "uv"
    command = [uv, "export", "--frozen", "--quiet", "--no-emit-project", "--all-groups"]
    more = ["--all-extras", "--no-hashes", "--output-file", str(to)]
    subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL)


def audit(requirements: Path, service: str) -> int:
    """Ask for every requirement, print what is known. returns: the exit status"""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements)]
        how = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        where = ["--vulnerability-service", "osv", "--osv-url", service, "--output", str(report)]
        done = subprocess.run([*command, *how, *where], capture_output=True, text=True, check=False)
        content = report.read_text(encoding="utf-8") if report.exists() else ""
    if not content:
        lines = done.stderr.strip().splitlines() or ["no answer"]
        if any(sign in done.stderr for sign in _UNREACHABLE):
            print(f"audit: left out, {service} cannot be reached; run it where there is a network")
            return 0
        print(f"error: pip-audit failed: {lines[-1]}", file=sys.stderr)
        return 1
    return _show(json.loads(content)["dependencies"])


def _show(asked: list[dict[str, Any]]) -> int:
    found = [(one, known) for one in asked for known in one.get("vulns", [])]
    for one, known in found:
        fixed = ", ".join(known["fix_versions"]) or "no version yet"
        print(f"audit: {one['name']} {one['version']}: {known['id']}, fixed in {fixed}")
    left_out = [one["name"] for one in asked if "skip_reason" in one]
    unknown = f"; not known there: {', '.join(left_out)}" if left_out else ""
    print(f"audit: {len(asked)} dependencies asked for, {len(found)} advisories{unknown}")
    return 1 if found else 0


def main() -> None:
    """Export, ask, exit."""
    service = sys.argv[sys.argv.index("--osv-url") + 1] if "--osv-url" in sys.argv else SERVICE
    with tempfile.TemporaryDirectory() as scratch:
        requirements = Path(scratch, "requirements.txt")
        export(requirements)
        sys.exit(audit(requirements, service))


if __name__ == "__main__":
    main()
