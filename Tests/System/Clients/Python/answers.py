"""Reads every stored answer of the server with the types of a generated client, and writes it again."""

import datetime
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).parents[3] / "Server" / "Answers"
# The beginning of a file's name, and the schema of the answer. The longest beginning counts.
SCHEMAS = {
    "audit": "ActPage", "caller": "Caller", "calls": "CallPage", "check": "CheckResult", "concurrency": "TurnPage", "incidents": "IncidentPage", "items": "ItemPage", "document": "SagaDocument", "echo": "Echo", "echo-rewind": "Rewound",
    "events": "EventPage", "notice-resend": "NoticeResend", "notice-test": "NoticeTest", "notices": "Notices",
    "operation": "Operation", "operation-preview": "OperationPreview", "operation-sagas": "OperationSagaPage",
    "operations": "OperationPage", "problem-": "Problem", "projections": "Projections", "readiness": "Readiness",
    "registration": "Registration", "saga-": "Saga", "sagas": "SagaPage", "sign-in-begun": "SignInBegun",
    "sign-in-options": "SignInOptions", "signal": "SignalAnswer",
    "task-answered": "TaskAnswered", "task-heartbeat": "TaskHeartbeat", "task-poll": "TaskPoll", "tasks": "TaskList",
    "statistics": "Statistics", "stats": "Stats", "timeline": "Timeline", "workflow": "Workflow",
    "workflows": "WorkflowPage",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def same(value):
    """A value in one form: two texts of one timestamp are equal, and so are 10 and 10.0."""
    if isinstance(value, dict):
        return {name: same(member) for name, member in value.items()}
    if isinstance(value, list):
        return [same(element) for element in value]
    if isinstance(value, str) and TIME.fullmatch(value):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value


def read_all(read, write):
    """Fails for an answer that the types can't read, or that they write with other values.

    read(schema, json) returns a value of the type that the client has for a schema; write(value) returns its JSON.
    """
    count = 0
    for file in sorted(FOLDER.glob("*.json")):
        name = max((begin for begin in SCHEMAS if file.stem.startswith(begin)), key=len, default=None)
        assert name, f"answers.py doesn't know the schema of {file.name}"
        answer = json.loads(file.read_text())
        value = read(SCHEMAS[name], answer)
        assert same(write(value)) == same(answer), f"{file.name}: {write(value)}"
        # A server of a later version may answer more.
        later = write(read(SCHEMAS[name], {**answer, "aMemberOfALaterVersion": {"a": 1}}))
        later.pop("aMemberOfALaterVersion", None)
        assert same(later) == same(answer), f"{file.name} with a member more: {later}"
        count += 1
    assert count > 40, f"only {count} answers"
