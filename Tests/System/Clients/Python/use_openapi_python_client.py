"""Uses a client that openapi-python-client has generated: starts a saga, reads it, signals it, acts on it, is refused."""

import json
import sys

import answers
import saga_client
import saga_client.models
from modules import import_all
from saga_client import Client
from saga_client.api.operating import begin_operation, cancel_saga, extend_deadline, list_acts, list_operations, pause_saga
from saga_client.api.operating import rebuild_projections, resume_saga
from saga_client.api.sagas import get_document, get_saga, get_saga_by_key, get_timeline, list_events, list_sagas
from saga_client.api.sagas import send_signal, start_saga
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
    Timeline,
    TimelineSpanKind,
    VerbRequest,
)

import_all(saga_client)
answers.read_all(
    lambda schema, answer: getattr(saga_client.models, schema).from_dict(json.loads(json.dumps(answer))),
    lambda value: json.loads(json.dumps(value.to_dict())))
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
assert saga.key == saga.idempotency_key == page.sagas[0].key == "opc-1", saga
assert [s.id for s in list_sagas.sync(client=client, key="opc-1").sagas] == [saga.id]
assert list_sagas.sync(client=client, key="opc-2").sagas == []
assert get_saga_by_key.sync("generated", "opc-1", client=client).id == saga.id
waiting = saga.steps[0].waiting_for
assert waiting.signal == waiting.name == "approval", waiting

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
assert signalled.parsed.version == signalled.parsed.event > 1, signalled
timeline = get_timeline.sync(str(saga.id), client=client)
assert isinstance(timeline, Timeline), timeline
assert [(s.step, s.kind) for s in timeline.spans] == [("approve", TimelineSpanKind.WAIT)], timeline
assert get_document.sync(str(saga.id), client=client).steps["approve"].output == {"approved": True}
acts = list_acts.sync(client=client, by="anna", verb="pause").acts
assert [(a.by, a.actor, a.saga) for a in acts] == [("anna", "anna", saga.id)], acts
assert list_acts.sync(client=client, actor="anna", verb="pause").acts == acts
assert list_events.sync(str(saga.id), client=client).events[0].version == 1
refused = cancel_saga.sync_detailed(str(saga.id), client=client, body=VerbRequest(reason="too late"))
assert refused.status_code == 409 and refused.parsed.code == "saga.ended", refused
missing = get_saga.sync("019c8a5e-7b1c-7d2e-8f3a-0123456789ab", client=client)
assert isinstance(missing, Problem) and missing.code == "saga.notFound", missing
assert rebuild_projections.sync_detailed(client=client, body=RebuildProjectionsBody()).status_code == 202
print("used")
