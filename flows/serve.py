"""serve: Prefect's server and worker, MLflow's pages and the reports; one signal ends all.

`python flows/serve.py`, then in another shell `prefect deployment run 'retrain/on-demand' --watch`.
"""

import argparse
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from login import PROFILES, new_login, stored
from pocketear.base.loopback import LOOPBACK, own_hosts
from services import (
    POOL,
    ServeError,
    check_free,
    end_left_behind,
    environment_of,
    service,
    stop_on_signals,
    wait_for,
    watch,
)
from stage_runs import PipelineError
from workspace import exclusive

_REPORTS_SERVER = Path(__file__).with_name("reports_server.py")


def serve(ports: dict[str, int]) -> None:
    """Start everything, print the addresses, and wait for a signal.

    raises: ServeError if something does not start, or ends by itself
    """
    root = Path.cwd()
    end_left_behind(str(root))
    check_free(ports)
    address = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    login = new_login(ports["prefect"])
    common = environment_of(str(root), address["reports"])
    client = common | login.for_client()
    environments = {"prefect": client | login.for_server()}
    children: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as running:
        running.callback(end_left_behind, str(root))
        running.enter_context(stored(login, root))
        for name, command in commands(root, ports).items():
            environment = environments.get(name, common)
            children[name] = running.enter_context(service(name, command, environment))
        wait_for("prefect", f"{login.api}/health")
        crashed = _prepare_pool(client)
        worker = ["-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        children["worker"] = running.enter_context(service("worker", worker, client))
        for name in set(address) - {"prefect"}:
            wait_for(name, address[name])
        _announce(address, crashed)
        watch(children)


def _prepare_pool(environment: dict[str, str]) -> int:
    os.environ |= environment
    import pool

    return pool.prepare()


def _announce(address: dict[str, str], crashed: int) -> None:
    if crashed:
        print(f"{crashed} run(s) of a killed worker marked as crashed")
    print(f"Prefect  {address['prefect']}   prefect deployment run 'retrain/on-demand' --watch")
    print(f"         its pages ask for a password: grep AUTH {PROFILES}")
    print(f"MLflow   {address['mlflow']}")
    print(f"reports  {address['reports']}")
    print("Ctrl-C ends all", flush=True)


def commands(root: Path, ports: dict[str, int]) -> dict[str, list[str]]:
    """Service -> arguments of Python; the worker comes later."""
    reports = root / "reports"
    reports.mkdir(exist_ok=True)
    hosts = own_hosts(ports["mlflow"])
    return {
        "prefect": [
            *("-m", "prefect", "server", "start"),
            *("--host", LOOPBACK, "--port", str(ports["prefect"])),
        ],
        "mlflow": [
            *("-m", "mlflow", "ui", "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{root / 'mlflow.db'}"),
            *("--host", LOOPBACK, "--port", str(ports["mlflow"])),
            *("--allowed-hosts", ",".join(hosts)),
            *("--cors-allowed-origins", ",".join(f"http://{host}" for host in hosts)),
        ],
        "reports": [str(_REPORTS_SERVER), str(reports), "--port", str(ports["reports"])],
    }


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prefect-port", type=int, default=4200)
    parser.add_argument("--mlflow-port", type=int, default=5000)
    parser.add_argument("--reports-port", type=int, default=4201)
    chosen = vars(parser.parse_args())
    stop_on_signals()
    try:
        with exclusive(Path.cwd(), "serve"):
            serve({name.removesuffix("_port"): port for name, port in chosen.items()})
    except (ServeError, PipelineError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("ended")


if __name__ == "__main__":
    main()
