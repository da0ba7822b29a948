"""Two automations for a Prefect server: a run whose process died is Crashed, and bad ends are told.

    NOTIFY_WEBHOOK_URL=https://hooks.example.com/... python deploy/prefect/automations.py

Needs ``PREFECT_API_URL``. Twice is once: automations and the webhook of these names are replaced. The
address is kept in Prefect as a secret (a Webhook block) and never printed.
"""

import argparse
import asyncio
import os
import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.states import StateType

ZOMBIE = "live-traffic: a run whose process died"
NOTIFY = "live-traffic: tell of a bad end"
BLOCK = "live-traffic-notify"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = [f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")]
PAYLOAD = """{
  "text": {{ (flow_run.name ~ ": " ~ flow_run.state.name ~ ". " ~ flow_run.state.message) | tojson }},
  "flow_run": {{ (flow_run | ui_url) | tojson }}
}"""


def zombie(silent: timedelta) -> Automation:
    """A run that began and then says nothing for so long, neither a heartbeat nor an end, is Crashed."""
    return Automation(
        name=ZOMBIE,
        description="A killed process cannot say that it ended; the next run does what it left.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDS},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=silent,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message="Its process gave no sign of life; the ledger knows what is left to do.",
            )
        ],
    )


def notify(block_id: str) -> Automation:
    """A run that ends Failed or Crashed is told to the webhook at once."""
    return Automation(
        name=NOTIFY,
        description="Failed: its exit code was not 0. Crashed: its process died.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            match_related={"prefect.resource.id": ["prefect.tag.live-traffic"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(0),
        ),
        actions=[CallWebhook(block_document_id=block_id, payload=PAYLOAD)],
    )


async def replace(automation: Automation) -> None:
    """Create it, and delete those of its name that were there before."""
    async with get_client() as client:
        old = await client.read_automations_by_name(automation.name)
        await automation.acreate()
        for each in old:
            await client.delete_automation(each.id)


async def main(url: str, silent: timedelta) -> None:
    """Put both onto the server."""
    block_id = await Webhook(url=url).save(BLOCK, overwrite=True)
    await replace(zombie(silent))
    await replace(notify(str(block_id)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--silent", type=int, default=600, help="seconds without a sign of life (600)"
    )
    given = parser.parse_args()
    address = os.environ.get("NOTIFY_WEBHOOK_URL")
    if not address:
        sys.exit("NOTIFY_WEBHOOK_URL is not set: give the webhook that is told of a bad end.")
    asyncio.run(main(address, timedelta(seconds=given.silent)))
    print("Two automations are in place; the UI lists them under Automations.")
