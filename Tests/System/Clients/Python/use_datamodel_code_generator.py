"""Uses the types that datamodel-code-generator has generated, with the standard library's HTTP: starts a saga, reads it,
lists it, signals it, acts on it, is refused."""

import json
import sys
import typing
import urllib.error
import urllib.request

import answers
import saga_models as models
from pydantic import BaseModel

Answer = typing.TypeVar("Answer", bound=BaseModel)


class Refused(Exception):
    def __init__(self, problem: models.Problem):
        super().__init__(problem.detail)
        self.problem = problem


def call(method: str, target: str, answer: type[Answer], body: BaseModel | None = None, **headers: str) -> Answer:
    data = None if body is None else body.model_dump_json(by_alias=True, exclude_unset=True).encode()
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        sys.argv[1] + target, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return answer.model_validate_json(response.read())
    except urllib.error.HTTPError as error:
        raise Refused(models.Problem.model_validate_json(error.read())) from None


def refusal(*words, **more) -> tuple[int, str]:
    try:
        call(*words, **more)
    except Refused as refused:
        return refused.problem.status, refused.problem.code
    raise AssertionError(f"{words} was taken")


class Any(models.RootModel[typing.Any]):
    """A body that may be any JSON."""


answers.read_all(
    lambda schema, answer: getattr(models, schema).model_validate_json(json.dumps(answer)),
    lambda value: json.loads(value.model_dump_json(by_alias=True, exclude_unset=True)))

workflow = {
    "name": "generated", "version": 1, "timeout": "1h",
    "steps": [{"id": "approve", "timeout": "30m", "signal": {"name": "approval"}}],
}
assert call("POST", "/v1/workflows", models.Registration, Any(workflow)).created
assert [w.name for w in call("GET", "/v1/workflows", models.WorkflowPage).workflows] == ["generated"]

begin = models.StartRequest(input={"a": 1}, tags=["dmcg"])
target = "/v1/workflows/generated/sagas"
saga = call("POST", target, models.Saga, begin, Idempotency_Key="dmcg-1", Saga_User="anna")
assert saga.status == models.SagaStatus.running and saga.tags.root == ["dmcg"] and saga.startedBy == "anna", saga
assert call("POST", target, models.Saga, begin, Idempotency_Key="dmcg-1").id == saga.id
assert saga.key == "dmcg-1" and saga.model_dump()["idempotencyKey"] == "dmcg-1", saga
assert saga.steps[0].waitingFor.signal == "approval", saga
one = f"/v1/sagas/{saga.id}"

page = call("GET", "/v1/sagas?status=running&tag=dmcg&key=dmcg-1", models.SagaPage)
assert [s.id for s in page.sagas] == [saga.id] and page.sagas[0].key == saga.key, page
assert call("GET", "/v1/sagas?tag=other", models.SagaPage).sagas == []

reason = models.VerbRequest(reason="from generated types", expectedVersion=saga.lastEvent)
paused = call("POST", one + "/pause", models.Saga, reason, Saga_User="anna")
assert paused.paused.by == "anna" and paused.paused.reason == "from generated types", paused
assert refusal("POST", one + "/resume", models.Saga, reason) == (409, "saga.changed")
call("POST", one + "/resume", models.Saga, models.VerbRequest(reason="go on"))
acts = call("GET", "/v1/audit?by=anna&verb=pause", models.ActPage).acts
assert [(a.by, a.saga, a.version) for a in acts] == [("anna", saga.id, saga.lastEvent + 1)], acts

preview = models.NewOperation(
    verb=models.Verb.cancel, dryRun=True, filter=models.SagaFilter(tag="dmcg", status=[models.SagaStatus.running]))
assert call("POST", "/v1/operations", models.OperationPreview, preview).sagas == 1

answer = call("POST", one + "/signals/approval", models.SignalAnswer, Any({"approved": True}))
assert answer.answer == models.SignalAnswerAnswer.taken and answer.step == "approve", answer
done = call("GET", one + "?wait=10s", models.Saga)
assert done.status == models.SagaStatus.completed and done.endedAt > done.startedAt, done
assert answer.version <= done.lastEvent, (answer, done)
timeline = call("GET", one + "/timeline", models.Timeline)
assert [(s.step, s.kind, s.outcome) for s in timeline.spans] == [
    ("approve", models.TimelineSpanKind.wait, models.TimelineSpanOutcome.succeeded)], timeline
assert [e.version for e in call("GET", one + "/events?limit=2", models.EventPage).events] == [1, 2]

assert refusal("POST", one + "/cancel", models.Saga, models.VerbRequest(reason="too late")) == (409, "saga.ended")
assert refusal("GET", "/v1/sagas/019c8a5e-7b1c-7d2e-8f3a-0123456789ab", models.Saga) == (404, "saga.notFound")
assert refusal("POST", target, models.Saga, Any({"inptu": 1})) == (400, "request.memberUnknown")
print("used")
