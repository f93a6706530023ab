"""alert: have Prefect notify people when the nightly run fails, is refused, crashes or is late.

How is up to a notification block of Prefect (Slack, Teams, e-mail, a webhook …), which also keeps
the address and its secret; it is made once on Prefect's pages.
"""

import argparse
import sys
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events import AutomationCore, EventTrigger, Posture, ResourceSpecification
from prefect.events.actions import SendNotification
from prefect.exceptions import ObjectNotFound

from server import check_server
from stage_runs import PipelineError

NAME = "the nightly run did not end well"
DEPLOYMENT = "nightly"  # as prefect.yaml names it
STATES = ("Failed", "Refused", "Crashed", "TimedOut", "Late")  # Late: no worker took it
_SUBJECT = "{{ deployment.name }}: {{ flow_run.state.name }}"
_BODY = (
    "{{ flow.name }}/{{ deployment.name }}, run {{ flow_run.name }}: {{ flow_run.state.name }}\n"
    "{{ flow_run.state.message or 'no reason is known' }}\n{{ flow_run|ui_url }}"
)


def automation(block: str, client: SyncPrefectClient) -> AutomationCore:
    """What Prefect is to do. block: of the server, as `slack-webhook/team`

    raises: PipelineError if there is no such block, or it notifies nobody
    """
    kind, _, name = block.partition("/")
    try:
        document = client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound as error:
        raise PipelineError(
            f"the server has no block {block!r}; make one on its page Blocks, and name it as"
            " `slack-webhook/NAME` or as `prefect block ls` does"
        ) from error
    schema = document.block_schema
    if not schema or "notify" not in schema.capabilities:
        raise PipelineError(f"{block} is no notification block")
    return AutomationCore(
        name=NAME,
        trigger=EventTrigger(
            expect={f"prefect.flow-run.{state}" for state in STATES},
            match_related=ResourceSpecification(
                {"prefect.resource.role": "deployment", "prefect.resource.name": DEPLOYMENT}
            ),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=document.id, subject=_SUBJECT, body=_BODY)],
    )


def set_alert(block: str) -> None:
    """Make the automation, or give the one that is there this block.

    raises: PipelineError as `automation`, or if no server answers
    """
    check_server()
    with get_client(sync_client=True) as client:
        wanted = automation(block, client)
        known = client.read_automations_by_name(NAME)
        if known:
            client.update_automation(known[0].id, wanted)
        else:
            client.create_automation(wanted)


def main() -> None:
    """Set up the notification on the server of `make serve`, or of PREFECT_API_URL."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("block", help="a notification block, as slack-webhook/team")
    block = parser.parse_args().block
    try:
        set_alert(block)
    except PipelineError as error:
        sys.exit(f"error: {error}")
    print(f"{block} is notified when the deployment {DEPLOYMENT} ends as {', '.join(STATES)}")


if __name__ == "__main__":
    main()
