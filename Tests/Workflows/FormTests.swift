import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking the form of a workflow", .timeLimit(.minutes(15)), .inTurn)
struct FormTests {
  typealias Case = FindingCase

  @Test("The checker reports each wrong form with its place", arguments: cases)
  func finds(one: Case) {
    let result = check(Sample.workflow(one.steps, more: one.more))
    #expect(result.errors.map { Found($0) } == one.found)
    #expect(result.definition == nil)
  }

  static let cases = commonCases + kafkaCases

  static let commonCases: [Case] = [
    Case(
      "unknown key of the workflow",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#, more: #""versoin": 2,"#,
      [Found("workflow.unknownKey", "/versoin", 1, 30, near: "version")]),
    Case(
      "unknown key of a step",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "dependson": [] }]"#,
      [Found("workflow.unknownKey", "/steps/0/dependson", 2, 83, near: "dependsOn")]),
    Case(
      "unknown key of an action",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "header": {} } }]"#,
      [Found("workflow.unknownKey", "/steps/0/http/header", 2, 81, near: "headers")]),
    Case(
      "unknown key of a retry",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": { "maxattempts": 2 } }]"#,
      [Found("workflow.unknownKey", "/steps/0/retry/maxattempts", 2, 94, near: "maxAttempts")]),
    Case(
      "unknown key of a compensation",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "compensation": { "appliesto": [], "http": { "service": "s", "method": "DELETE", "path": "/x" } } }]"#,
      [Found("workflow.unknownKey", "/steps/0/compensation/appliesto", 2, 101, near: "appliesTo")]),
    Case(
      "unknown key of the defaults",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      more: #""defaults": { "timeuot": "1s" },"#,
      [Found("workflow.unknownKey", "/defaults/timeuot", 1, 44, near: "timeout")]),
    Case(
      "unknown key of a signal",
      #"[{ "id": "a", "signal": { "name": "x", "role": [] } }]"#,
      [Found("workflow.unknownKey", "/steps/0/signal/role", 2, 49, near: "roles")]),
    Case(
      "unknown key of a delay",
      #"[{ "id": "a", "delay": { "four": "1s" } }]"#,
      [
        Found("workflow.missingKey", "/steps/0/delay", 2, 33),
        Found("workflow.unknownKey", "/steps/0/delay/four", 2, 35, near: "for"),
      ]),
    Case(
      "a key in another spelling",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "on-failure": "continue" }]"#,
      [Found("workflow.unknownKey", "/steps/0/on-failure", 2, 83, near: "onFailure")]),
    Case(
      "no steps",
      #"[]"#,
      [Found("workflow.badValue", "/steps", 2, 10)]),
    Case(
      "steps that are no list",
      #"{}"#,
      [Found("workflow.wrongType", "/steps", 2, 10)]),
    Case(
      "a step that is none",
      #"[1]"#,
      [Found("workflow.wrongType", "/steps/0", 2, 11)]),
    Case(
      "a step without an id",
      #"[{ "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.missingKey", "/steps/0", 2, 11)]),
    Case(
      "an id with a dash",
      #"[{ "id": "a-b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.badName", "/steps/0/id", 2, 19, near: "aB")]),
    Case(
      "an id that begins with a digit",
      #"[{ "id": "1a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.badName", "/steps/0/id", 2, 19)]),
    Case(
      "an id that is a number",
      #"[{ "id": 1, "delay": { "for": "1s" } }]"#,
      [Found("workflow.wrongType", "/steps/0/id", 2, 19)]),
    Case(
      "a name with a slash",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#, more: #""$schema": 5,"#,
      [Found("workflow.wrongType", "/$schema", 1, 41)]),
    Case(
      "an id twice",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } },\#n{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.duplicateStep", "/steps/1/id", 3, 9)]),
    Case(
      "no action",
      #"[{ "id": "a" }]"#,
      [Found("workflow.noAction", "/steps/0", 2, 11)]),
    Case(
      "two actions",
      #"[{ "id": "a", "delay": { "for": "1s" }, "signal": { "name": "x" } }]"#,
      [Found("workflow.manyActions", "/steps/0/signal", 2, 50)]),
    Case(
      "a task without a queue",
      #"[{ "id": "a", "task": {}, "compensation": "none" }]"#,
      [Found("workflow.missingKey", "/steps/0/task", 2, 32)]),
    Case(
      "a task with a word that it doesn't have",
      #"[{ "id": "a", "task": { "queue": "q", "payload": 1 }, "compensation": "none" }]"#,
      [Found("workflow.unknownKey", "/steps/0/task/payload", 2, 48, near: "input")]),
    Case(
      "a task with a queue that has a blank",
      #"[{ "id": "a", "task": { "queue": "a b" }, "compensation": "none" }]"#,
      [Found("workflow.badName", "/steps/0/task/queue", 2, 43, near: "a-b")]),
    Case(
      "a heartbeat timeout that is too short",
      #"[{ "id": "a", "task": { "queue": "q", "heartbeatTimeout": "10ms" }, "compensation": "none" }]"#,
      [Found("workflow.badValue", "/steps/0/task/heartbeatTimeout", 2, 68)]),
    Case(
      "a heartbeat timeout longer than the whole wait",
      #"[{ "id": "a", "task": { "queue": "q", "heartbeatTimeout": "2m" }, "timeout": "1m", "compensation": "none" }]"#,
      [Found("workflow.badValue", "/steps/0/task/heartbeatTimeout", 2, 68)]),
    Case(
      "a poll beside a task",
      #"[{ "id": "a", "task": { "queue": "q" }, "compensation": "none", "poll": { "every": "1s", "until": "$.answer.body.ok == true" } }]"#,
      [Found("workflow.badValue", "/steps/0/poll", 2, 74)]),
    Case(
      "unknown key of a child",
      #"[{ "id": "a", "workflow": { "name": "x", "inputs": {} } }]"#,
      [Found("workflow.unknownKey", "/steps/0/workflow/inputs", 2, 51, near: "input")]),
    Case(
      "a child with a key that is always the same",
      #"[{ "id": "a", "workflow": { "name": "x", "key": "k" } }]"#,
      [Found("workflow.badValue", "/steps/0/workflow/key", 2, 58)]),
    Case(
      "a child with an undo of its own",
      #"[{ "id": "a", "workflow": { "name": "x" }, "compensation": { "http": {} } }]"#,
      [Found("workflow.unknownKey", "/steps/0/compensation/http", 2, 71)]),
    Case(
      "forEach as a list",
      #"[{ "id": "a", "forEach": ["${input.x[*]}"], "http": { "service": "s", "method": "GET", "path": "/x/${item.id}" } }]"#,
      [Found("workflow.wrongType", "/steps/0/forEach", 2, 35)]),
    Case(
      "forEach without items",
      #"[{ "id": "a", "forEach": {}, "delay": { "for": "1s" } }]"#,
      [Found("workflow.missingKey", "/steps/0/forEach", 2, 35)]),
    Case(
      "a poll inside http",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "poll": {} } }]"#,
      [Found("workflow.unknownKey", "/steps/0/http/poll", 2, 81)]),
    Case(
      "a poll without its members",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "poll": {} }]"#,
      [Found("workflow.missingKey", "/steps/0/poll", 2, 91), Found("workflow.missingKey", "/steps/0/poll", 2, 91)]),
    Case(
      "a poll with a word that it doesn't have",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "poll": { "every": "1s", "until": "$.answer.body.ok == true", "interval": "1s" } }]"#,
      [Found("workflow.unknownKey", "/steps/0/poll/interval", 2, 145, near: "every")]),
    Case(
      "a poll that never waits",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "poll": { "every": "0s", "until": "$.answer.body.ok == true" } }]"#,
      [Found("workflow.badDuration", "/steps/0/poll/every", 2, 102)]),
    Case(
      "until as a truth value",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "poll": { "every": "1s", "until": true } }]"#,
      [Found("workflow.wrongType", "/steps/0/poll/until", 2, 117)]),
    Case(
      "a poll beside a command",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "compensation": "none", "poll": { "every": "1s", "until": "$.answer.body.ok == true" } }]"#,
      [Found("workflow.badValue", "/steps/0/poll", 2, 93)]),
    Case(
      "a poll beside a signal",
      #"[{ "id": "a", "signal": { "name": "s" }, "poll": { "every": "1s", "until": "$.answer.body.ok == true" } }]"#,
      [Found("workflow.badValue", "/steps/0/poll", 2, 51)]),
    Case(
      "concurrency without a key",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "concurrency": {} }]"#,
      more: #""concurrency": {},"#,
      [
        Found("workflow.missingKey", "/concurrency", 1, 45),
        Found("workflow.missingKey", "/steps/0/concurrency", 2, 98),
      ]),
    Case(
      "a compensation with a delay",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "compensation": { "delay": { "for": "1s" } } }]"#,
      [Found("workflow.unknownKey", "/steps/0/compensation/delay", 2, 101)]),
    Case(
      "a missing method",
      #"[{ "id": "a", "http": { "service": "s", "path": "/x" } }]"#,
      [Found("workflow.missingKey", "/steps/0/http", 2, 32)]),
    Case(
      "a missing service and path",
      #"[{ "id": "a", "http": { "method": "GET" } }]"#,
      [Found("workflow.missingKey", "/steps/0/http", 2, 32), Found("workflow.missingKey", "/steps/0/http", 2, 32)]),
    Case(
      "a method in small letters",
      #"[{ "id": "a", "http": { "service": "s", "method": "get", "path": "/x" } }]"#,
      [Found("workflow.badValue", "/steps/0/http/method", 2, 60, near: "GET")]),
    Case(
      "a method that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "FETCH", "path": "/x" } }]"#,
      [Found("workflow.badValue", "/steps/0/http/method", 2, 60, near: "PATCH")]),
    Case(
      "an address for a service",
      #"[{ "id": "a", "http": { "service": "http://x", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.badName", "/steps/0/http/service", 2, 45)]),
    Case(
      "a path without a slash",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "x" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a path that begins with an expression",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "${input.x}" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a path with parameters",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x?y=1" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a path with a step up",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x/../y" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a path with a blank",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x y" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a path with a broken percent",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x%2" } }]"#,
      [Found("workflow.badPath", "/steps/0/http/path", 2, 75)]),
    Case(
      "a body with GET",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "body": {} } }]"#,
      [Found("workflow.badValue", "/steps/0/http/body", 2, 81)]),
    Case(
      "a header that the engine sets",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "headers": { "idempotency-key": "k" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/http/headers/idempotency-key", 2, 94)]),
    Case(
      "a header that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "headers": { "a b": "k" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/http/headers/a b", 2, 94)]),
    Case(
      "a header twice",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "headers": { "X-A": "k", "x-a": "l" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/http/headers/x-a", 2, 106)]),
    Case(
      "a header with a line break",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "headers": { "X-A": "k\nl" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/http/headers/X-A", 2, 101)]),
    Case(
      "a header that is a number",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "headers": { "X-A": 1 } } }]"#,
      [Found("workflow.wrongType", "/steps/0/http/headers/X-A", 2, 101)]),
    Case(
      "a parameter that is a number",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "query": { "a": 1 } } }]"#,
      [Found("workflow.wrongType", "/steps/0/http/query/a", 2, 97)]),
    Case(
      "a success that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "success": ["2x", 600, "299-200", true] } }]"#,
      [
        Found("workflow.badValue", "/steps/0/http/success/0", 2, 93),
        Found("workflow.badValue", "/steps/0/http/success/1", 2, 99),
        Found("workflow.badValue", "/steps/0/http/success/2", 2, 104),
        Found("workflow.wrongType", "/steps/0/http/success/3", 2, 115),
      ]),
    Case(
      "an empty success",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x", "success": [] } }]"#,
      [Found("workflow.badValue", "/steps/0/http/success", 2, 92)]),
    Case(
      "a duration that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": "1.5h" }]"#,
      more: #""timeout": "soon","#,
      [Found("workflow.badDuration", "/timeout", 1, 41), Found("workflow.badDuration", "/steps/0/timeout", 2, 94)]),
    Case(
      "an expected time of nothing",
      #"[{ "id": "a", "signal": { "name": "x" }, "expected": "0s" }]"#,
      [Found("workflow.badDuration", "/steps/0/expected", 2, 63)]),
    Case(
      "an expected time that is no duration",
      #"[{ "id": "a", "delay": { "for": "1h" }, "expected": "10 min" }]"#, more: #""timeout": "1d","#,
      [Found("workflow.badDuration", "/steps/0/expected", 2, 62)]),
    Case(
      "an expected time that is a number",
      #"[{ "id": "a", "compensation": { "expected": 30, "http": { "service": "s", "method": "DELETE", "path": "/x" } }, "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.wrongType", "/steps/0/compensation/expected", 2, 54)]),
    Case(
      "an expected time in another spelling",
      #"[{ "id": "a", "signal": { "name": "x" }, "expcted": "1m" }]"#,
      [Found("workflow.unknownKey", "/steps/0/expcted", 2, 51, near: "expected")]),
    Case(
      "an expected time for every step",
      #"[{ "id": "a", "signal": { "name": "x" } }]"#, more: #""defaults": { "expected": "1m" },"#,
      [Found("workflow.unknownKey", "/defaults/expected", 1, 44)]),
    Case(
      "a timeout of nothing",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": "0s" }]"#,
      [Found("workflow.badDuration", "/steps/0/timeout", 2, 94)]),
    Case(
      "a timeout that is a number",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "timeout": 30 }]"#,
      [Found("workflow.wrongType", "/steps/0/timeout", 2, 94)]),
    Case(
      "retry out of range",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": { "maxAttempts": 0, "backoffCoefficient": 0.5, "jitter": 2, "initialInterval": "2m", "maxInterval": "1m" } }]"#,
      [
        Found("workflow.badValue", "/steps/0/retry/maxAttempts", 2, 109),
        Found("workflow.badValue", "/steps/0/retry/backoffCoefficient", 2, 134),
        Found("workflow.badValue", "/steps/0/retry/jitter", 2, 149),
        Found("workflow.badValue", "/steps/0/retry/maxInterval", 2, 192),
      ]),
    Case(
      "maxAttempts with a fraction",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": { "maxAttempts": 1.5 } }]"#,
      [Found("workflow.badValue", "/steps/0/retry/maxAttempts", 2, 109)]),
    Case(
      "retry that is a number",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": 3 }]"#,
      [Found("workflow.wrongType", "/steps/0/retry", 2, 92)]),
    Case(
      "a list of policies without on",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": [{ "maxAttempts": 3 }, { "on": [] }, { "on": ["a*b", ""] }] }]"#,
      [
        Found("workflow.missingKey", "/steps/0/retry/0", 2, 93),
        Found("workflow.badValue", "/steps/0/retry/1/on", 2, 123),
        Found("workflow.badValue", "/steps/0/retry/2/on/0", 2, 138),
        Found("workflow.badValue", "/steps/0/retry/2/on/1", 2, 145),
      ]),
    Case(
      "a policy with on that is no list",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "retry": { "on": ["x"] } }]"#,
      [Found("workflow.unknownKey", "/steps/0/retry/on", 2, 94)]),
    Case(
      "onFailure that is none",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "onFailure": "Continue" }]"#,
      [Found("workflow.badValue", "/steps/0/onFailure", 2, 96, near: "continue")]),
    Case(
      "pivot that is a string",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "pivot": "true" }]"#,
      [Found("workflow.wrongType", "/steps/0/pivot", 2, 92)]),
    Case(
      "compensation that is a word",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "compensation": "None" }]"#,
      [Found("workflow.badValue", "/steps/0/compensation", 2, 99, near: "none")]),
    Case(
      "compensation without an action",
      #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" }, "compensation": { "onFailure": "stop", "appliesTo": ["succeded"] } }]"#,
      [
        Found("workflow.noAction", "/steps/0/compensation", 2, 99),
        Found("workflow.badValue", "/steps/0/compensation/onFailure", 2, 114),
        Found("workflow.badValue", "/steps/0/compensation/appliesTo/0", 2, 136, near: "succeeded"),
      ]),
  ]
}
