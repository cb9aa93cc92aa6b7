"""Servers and tools outside Python that tests start: which there are, and how to get them.

``python -m finops_pipeline_tests.programs`` installs what is missing from Debian's packages where
it may, and otherwise says which tests are left out. With CI=true what is missing is a failure.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {  # program: Debian's package
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-pushgateway": "prometheus-pushgateway",
    "initdb": "postgresql",
    "openssl": "openssl",
}
OTHER_FOLDERS = ("/usr/lib/postgresql/*/bin",)  # Debian keeps PostgreSQL's programs outside PATH
DUCKDB2 = "duckdb2"
CHECKERS = ("checkov", "hadolint", "kubectl", "kubernetes-validate")
ENVIRONMENTS = {  # program: where make test puts it, at the version in a lock file
    DUCKDB2: ".venv-duckdb2/bin/python",
    **{checker: f".venv-deploy/bin/{checker}" for checker in CHECKERS},
}
# Debian starts a server when it installs it, and again at each boot: tests start their own.
INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > $policy
    chmod 755 $policy
fi
apt-get -qq update
apt-get -qq install --no-install-recommends "$@" > /dev/null
for service in "$@"; do
    systemctl --quiet disable "$service" 2> /dev/null || true
done
"""


def find(program: str) -> Path | None:
    """Where a program is, if anywhere."""
    if program in ENVIRONMENTS:
        locked = ROOT / ENVIRONMENTS[program]
        return locked if locked.exists() else None
    elsewhere = [str(folder) for glob in OTHER_FOLDERS for folder in Path("/").glob(glob[1:])]
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(elsewhere))
    return Path(found) if found else None


def remedy(program: str) -> str:
    """What to do about a missing program, in a few words."""
    if program in ENVIRONMENTS:
        return "run 'make test'"
    return f"on Debian and Ubuntu: apt-get install {PACKAGES[program]}"


def missing() -> list[str]:
    """Programs that some tests need and that are not here."""
    return [program for program in (*PACKAGES, *ENVIRONMENTS) if not find(program)]


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Install what is missing where we may; 1 if something is left out that must not be."""
    packages = sorted({PACKAGES[program] for program in missing() if program in PACKAGES})
    if packages and (refusal := _install(packages)):
        print(f"not installed: {', '.join(packages)} ({refusal})", file=sys.stderr)
    for program in missing():
        print(f"left out: tests that need {program}; {remedy(program)}", file=sys.stderr)
    return int(bool(missing()) and is_ci(environ))


def is_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether every test has to run."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


def _install(packages: list[str]) -> str | None:
    """Install Debian's packages; why not, if not."""
    if not shutil.which("apt-get"):
        return "there is no apt-get here"
    sudo = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    if sudo and (not shutil.which("sudo") or _status(*sudo, "true")):
        return "needs root, or sudo without a password"
    print(f"installing {', '.join(packages)}")
    return "apt-get failed" if _status(*sudo, "sh", "-c", INSTALL, "sh", *packages) else None


def _status(*command: str) -> int:
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
