"""Uses a client that openapi-python-client has generated: starts a saga, reads it, signals it, acts on it, is refused."""

import sys

import saga_client
from modules import import_all
from saga_client import Client
from saga_client.api.operating import begin_operation, cancel_saga, extend_deadline, list_operations, pause_saga
from saga_client.api.operating import rebuild_projections, resume_saga
from saga_client.api.sagas import get_saga, list_events, list_sagas, send_signal, start_saga
from saga_client.api.server import get_health
from saga_client.api.workflows import list_workflows, register_workflow
from saga_client.models import (
    ExtendRequest,
    NewOperation,
    OperationPreview,
    Problem,
    RebuildProjectionsBody,
    RegisterWorkflowBody,
    Saga,
    SagaFilter,
    SagaPage,
    SagaStatus,
    StartRequest,
    VerbRequest,
)

import_all(saga_client)
client = Client(base_url=sys.argv[1])

assert get_health.sync_detailed(client=client).status_code == 200
workflow = RegisterWorkflowBody.from_dict({
    "name": "generated", "version": 1, "timeout": "1h",
    "steps": [{"id": "approve", "timeout": "30m", "signal": {"name": "approval"}}],
})
assert register_workflow.sync_detailed(client=client, body=workflow).status_code == 201
assert [w.name for w in list_workflows.sync(client=client).workflows] == ["generated"]

begun = start_saga.sync_detailed(
    "generated", client=client, body=StartRequest(input_={"a": 1}, tags=["opc"]), idempotency_key="opc-1", saga_user="anna")
assert begun.status_code == 201, begun
saga = begun.parsed
assert isinstance(saga, Saga) and saga.status == SagaStatus.RUNNING and saga.tags == ["opc"]
again = start_saga.sync_detailed(
    "generated", client=client, body=StartRequest(input_={"a": 1}, tags=["opc"]), idempotency_key="opc-1", saga_user="anna")
assert again.status_code == 200 and again.parsed.id == saga.id

page = list_sagas.sync(client=client, status=[SagaStatus.RUNNING], tag=["opc"], seen=begun.headers["Saga-Seen"])
assert isinstance(page, SagaPage) and [s.id for s in page.sagas] == [saga.id], page

reason = VerbRequest(reason="from a generated client", expected_version=saga.last_event)
paused = pause_saga.sync_detailed(str(saga.id), client=client, body=reason, saga_user="anna", saga_client="opc")
assert paused.status_code == 200 and paused.parsed.paused.by == "anna", paused
stale = resume_saga.sync_detailed(str(saga.id), client=client, body=reason)
assert stale.status_code == 409 and isinstance(stale.parsed, Problem) and stale.parsed.code == "saga.changed", stale
assert resume_saga.sync_detailed(str(saga.id), client=client, body=VerbRequest(reason="go on")).status_code == 200
later = extend_deadline.sync_detailed(str(saga.id), client=client, body=ExtendRequest(reason="late", by="2h"))
assert later.status_code == 200, later

preview = begin_operation.sync_detailed(
    client=client, body=NewOperation.from_dict({"verb": "cancel", "dryRun": True, "filter": {"tag": "opc"}}))
assert preview.status_code == 200 and isinstance(preview.parsed, OperationPreview) and preview.parsed.sagas == 1, preview
assert list_operations.sync(client=client).operations == []
assert SagaFilter.from_dict({"status": ["running"]}).to_dict() == {"status": ["running"]}

signalled = send_signal.sync_detailed(str(saga.id), "approval", client=client, body={"approved": True})
assert signalled.status_code == 200 and signalled.parsed.answer == "taken", signalled
done = get_saga.sync(str(saga.id), client=client, wait="10s")
assert isinstance(done, Saga) and done.status == SagaStatus.COMPLETED, done
assert list_events.sync(str(saga.id), client=client).events[0].version == 1
refused = cancel_saga.sync_detailed(str(saga.id), client=client, body=VerbRequest(reason="too late"))
assert refused.status_code == 409 and refused.parsed.code == "saga.ended", refused
missing = get_saga.sync("019c8a5e-7b1c-7d2e-8f3a-0123456789ab", client=client)
assert isinstance(missing, Problem) and missing.code == "saga.notFound", missing
assert rebuild_projections.sync_detailed(client=client, body=RebuildProjectionsBody()).status_code == 202
print("used")
