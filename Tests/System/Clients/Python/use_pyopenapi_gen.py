"""Uses a client that pyopenapi-gen has generated: starts a saga, reads it, signals it, acts on it, is refused."""

import asyncio
import sys

import saga_client
from modules import import_all
from saga_client.client import APIClient
from saga_client.core.config import ClientConfig
from saga_client.core.exceptions import HTTPError
from saga_client.models.saga_status import SagaStatus

import_all(saga_client)


def member(value, name):
    """A member of an answer, which is a dataclass or a dictionary."""
    return value[name] if isinstance(value, dict) else getattr(value, name)


async def refusal(call):
    try:
        await call
    except HTTPError as error:
        return error.status_code, error.response.json()["code"]
    raise AssertionError("taken")


async def main():
    client = APIClient(ClientConfig(base_url=sys.argv[1]))
    workflow = {
        "name": "generated", "version": 1, "timeout": "1h",
        "steps": [{"id": "approve", "timeout": "30m", "signal": {"name": "approval"}}],
    }
    assert member(await client.workflows.register_workflow(workflow), "name") == "generated"
    saga = await client.sagas.start_saga(
        "generated", {"input": {"a": 1}, "tags": ["pog"]}, idempotency_key="pog-1", saga_user="anna")
    id_ = member(saga, "id_") if not isinstance(saga, dict) else saga["id"]
    assert member(saga, "status") in (SagaStatus.RUNNING, "running"), saga
    again = await client.sagas.start_saga(
        "generated", {"input": {"a": 1}, "tags": ["pog"]}, idempotency_key="pog-1", saga_user="anna")
    assert (member(again, "id_") if not isinstance(again, dict) else again["id"]) == id_

    paused = await client.operating.pause_saga(id_, {"reason": "from a generated client"}, saga_user="anna", saga_client="pog")
    assert member(member(paused, "paused"), "by") == "anna", paused
    assert await refusal(client.operating.pause_saga(id_, {"reason": "twice"})) == (409, "saga.paused")
    await client.operating.resume_saga(id_, {"reason": "go on"})
    assert await refusal(client.operating.extend_deadline(id_, {"reason": "neither"})) == (400, "request.memberInvalid")

    answer = await client.sagas.send_signal(id_, "approval", {"approved": True})
    assert member(answer, "answer") == "taken", answer
    done = await client.sagas.get_saga(id_, wait="10s")
    assert member(done, "status") in (SagaStatus.COMPLETED, "completed"), done
    page = await client.sagas.list_sagas(status=["completed"], tag=["pog"])
    assert len(member(page, "sagas")) == 1, page
    assert await refusal(client.operating.cancel_saga(id_, {"reason": "too late"})) == (409, "saga.ended")
    assert await refusal(client.sagas.get_saga("019c8a5e-7b1c-7d2e-8f3a-0123456789ab")) == (404, "saga.notFound")
    await client.operating.rebuild_projections({})
    await client.close()


asyncio.run(main())
print("used")
