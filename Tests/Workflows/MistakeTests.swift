import TestSupport
import Testing

@testable import Workflows

/// A mistake that authors make, and what the checker says of it.
struct Mistake: CustomTestStringConvertible {
  let testDescription: String
  let file: String
  let code: String
  /// The name that the finding offers; nil when it offers none.
  let near: String?
  /// A part of the message.
  let says: String

  init(_ name: String, _ steps: String, more: String = "", _ code: String, near: String? = nil, says: String = "") {
    testDescription = name
    file = Sample.workflow(steps, more: more)
    self.code = code
    self.near = near
    self.says = says
  }
}

@Suite("Mistakes of authors", .timeLimit(.minutes(15)), .inTurn)
struct MistakeTests {
  static func call(_ members: String, _ more: String = "") -> String {
    "[{ \"id\": \"a\", \"http\": { \"service\": \"s\", \"method\": \"PUT\", \(members) }, \"compensation\": \"none\"\(more) }]"
  }
  static func body(_ body: String) -> String { call("\"path\": \"/x\", \"body\": \(body)") }
  static func path(_ path: String) -> String { call("\"path\": \"\(path)\"") }
  static func step(_ more: String) -> String { "[\(Sample.get("a", ", " + more))]" }
  static func when(_ condition: String) -> String {
    "[\(Sample.get("a")), \(Sample.get("b", ", \"when\": \"\(condition)\""))]"
  }
  static func accept(_ condition: String) -> String {
    "[{ \"id\": \"a\", \"signal\": { \"name\": \"go\", \"accept\": \"\(condition)\" } }]"
  }
  /// A step that reads behind the step `a`.
  static func afterA(_ value: String) -> String {
    "[\(Sample.get("a")), { \"id\": \"b\", \"delay\": { \"until\": \"\(value)\" } }]"
  }
  static let items = Sample.get("a", #", "forEach": { "items": "${input.x[*]}" }"#)
  static func afterItems(_ value: String) -> String {
    "[\(items), { \"id\": \"b\", \"http\": { \"service\": \"s\", \"method\": \"PUT\", \"path\": \"/x\", "
      + "\"body\": \"\(value)\" }, \"compensation\": \"none\" }]"
  }
  static func retry(_ retry: String) -> String { step("\"retry\": { \(retry) }") }

  static let schema = #"""
    "inputSchema": { "type": "object", "additionalProperties": false, "properties": {
      "priority": { "enum": ["routine", "urgent"] }, "lanes": { "type": "integer" }, "name": { "type": "string" },
      "isUrgent": { "type": "boolean" }, "patient": { "type": "object", "properties": { "id": {} } } } }, 
    """#.replacing("\n", with: " ")

  @Test(
    "A mistake is found, with the word that was meant or what to do",
    arguments: [
      // Expressions of other languages.
      Mistake("{{x}}", body(#"{ "a": "{{input.x}}" }"#), "workflow.foreignExpression", says: "{{…}} is only text"),
      Mistake("{{x}} in a path", path("/x/{{input.x}}"), "workflow.badPath"),
      Mistake("#{x}", body(##"["#{input.x}"]"##), "workflow.foreignExpression", says: "#{…} is only text"),
      Mistake("<%x%>", body(#""<%= x %>""#), "workflow.foreignExpression", says: "<%…%> is only text"),
      Mistake("{input.x}", body(#""tube {input.x}""#), "workflow.foreignExpression", says: "write ${input.…}"),
      Mistake(
        "a bare query", body(#"{ "a": "$.steps.a.uuid" }"#), "workflow.foreignExpression",
        says: "a query alone is only text"),
      Mistake("key.$", body(#"{ "id.$": "$.input.id" }"#), "workflow.foreignExpression", says: "name it \"id\""),
      Mistake("$input.x", body(#""$input.x""#), "workflow.foreignExpression", says: "write ${input.…}"),
      Mistake(
        "${…} in a name", body(#"{ "${input.x}": 1 }"#), "workflow.foreignExpression",
        says: "a member's name is sent as it is"),
      Mistake("/x/:id", path("/samples/:id"), "workflow.foreignExpression", says: "${input.id}"),
      Mistake("${…} in a condition", when("${input.x} == 1"), "jsonpath.syntax", says: "without ${…}"),
      Mistake("{{…}} in a condition", when("{{input.x}} == 1"), "jsonpath.syntax", says: "without ${…}"),
      Mistake("${a ? b : c}", body(#""${input.a ? 1 : 2}""#), "jsonpath.syntax", says: "There is no ?:"),
      Mistake("a?.b", body(#""${input?.a}""#), "jsonpath.syntax", says: "a missing member needs no sign"),
      Mistake("text + text", body(#""${'a' + input.b}""#), "jsonpath.type", says: "writing them together"),
      Mistake("concat", body(#""${concat(input.a, input.b)}""#), "jsonpath.unknownFunction", says: "join"),
      Mistake("$(x)", body(#"{ "a": "$(input.x)" }"#), "workflow.foreignExpression", says: "write ${input.…}"),
      Mistake("$(x) in a path", path("/x/$(input.x)"), "workflow.foreignExpression", says: "write ${input.…}"),
      Mistake("$context.x", body(#"{ "a": "$context.input.x" }"#), "workflow.foreignExpression", says: "saga.id"),
      Mistake("$$.x", body(#"{ "a": "$$.Execution.Id" }"#), "workflow.foreignExpression", says: "saga.id"),
      Mistake(
        "States.Format", body(#"{ "a": "States.Format('{}', $.input.x)" }"#), "workflow.foreignExpression",
        says: "writing them together"),
      Mistake("/x/{id}", path("/samples/{id}"), "workflow.badPath", says: "write a value as ${…}"),
      Mistake("/x/<id>", path("/samples/<id>"), "workflow.badPath", says: "write a value as ${…}"),
      Mistake("a default behind ||", body(#""${input.x || 'a'}""#), "jsonpath.syntax", says: "written behind ??"),
      Mistake("a default that is a query", body(#""${input.x || input.y}""#), "workflow.existence", says: "write ??"),
      Mistake("a filter of a template", body(#""${input.x | upper}""#), "jsonpath.syntax", says: "upper(input.x)"),
      Mistake("now()", body(#""${now()}""#), "jsonpath.unknownFunction", says: "saga.startedAt"),
      Mistake("uuid()", body(#""${uuid()}""#), "jsonpath.unknownFunction", says: "steps.ID.uuid"),
      Mistake("coalesce()", body(#""${coalesce(input.a, 'x')}""#), "jsonpath.unknownFunction", says: "Write ??"),
      Mistake("contains()", when("contains($.input.x, 'a')"), "jsonpath.unknownFunction", says: "search(text, 'part')"),
      Mistake("a time and a duration", body(#""${input.at + '24h'}""#), "jsonpath.type", says: "duration('24h')"),
      Mistake("length of many", body(#""${length(input.x[*])}""#), "jsonpath.type", says: "count(…) counts them"),
      Mistake("env", body(#""${env.TOKEN}""#), "workflow.unknownRoot", says: "server's configuration"),
      Mistake("a uuid alone", body(#""${uuid}""#), "workflow.unknownRoot", says: "steps.ID.uuid"),
      Mistake("the result of a step", afterA("${steps.a.result.id}"), "workflow.unknownMember", near: "output"),
      Mistake("the body of a step", afterA("${steps.a.body.id}"), "workflow.unknownMember", says: "is \"output\""),
      Mistake("the id of a step", afterA("${steps.a.id}"), "workflow.unknownMember", says: "its uuid is \"uuid\""),
      Mistake("the status code", afterA("${steps.a.statusCode}"), "workflow.unknownMember", says: "answer.status"),
      Mistake("the input of a saga", body(#""${saga.input.x}""#), "workflow.unknownMember", says: "read as input"),
      Mistake(
        "a member that no item has", afterItems("${list(steps.a.items[*].result)}"), "workflow.unknownMember",
        near: "output"),
      Mistake(
        "a member that no item has, in a filter", afterItems("${list(steps.a.items[?@.state == 'failed'].key)}"),
        "workflow.unknownMember", near: "status"),
      Mistake(
        "a status that no item has", afterItems("${list(steps.a.items[?@.status == 'success'].key)}"),
        "workflow.neverHolds", near: "succeeded"),
      Mistake("toUpper", body(#""${uper(input.a)}""#), "jsonpath.unknownFunction", says: "Did you mean upper()"),
      Mistake(
        "a name with a hyphen", body(#""${input.dag-version}""#), "workflow.unknownRoot", says: "['dag-version']"),
      Mistake("a duration that is none", body(#""${duration('1 day')}""#), "jsonpath.type", says: "duration()"),
      Mistake("a division by zero", body(#""${input.a / 0}""#), "jsonpath.type", says: "divided by zero"),
      // Conditions.
      Mistake(
        "existence of an approval", accept("$.signal.approved"), "workflow.existence", says: "$.signal.approved == true"
      ),
      Mistake("existence, negated", accept("!$.signal.rejected"), "workflow.existence"),
      Mistake("existence in a part", accept("$.signal.by == 'x' && $.signal.ok"), "workflow.existence"),
      Mistake("existence of an output's member", when("$.steps.a.output.passed"), "workflow.existence"),
      Mistake("existence of a boolean", when("$.input.isUrgent"), more: schema, "workflow.existence"),
      Mistake(
        "a status of another engine", when("$.steps.a.status == 'success'"), "workflow.neverHolds", near: "succeeded"),
      Mistake("a misspelt status", when("$.steps.a.status != 'skiped'"), "workflow.neverHolds", near: "skipped"),
      Mistake("a status as a boolean", when("$.steps.a.status == true"), "workflow.neverHolds"),
      Mistake("a status and a number", when("$.steps.a.status > 3"), "workflow.neverHolds"),
      Mistake("a number with a text", when("length($.input.name) == '3'"), "workflow.neverHolds", says: "a number"),
      Mistake("a declared number with a text", when("$.input.lanes > '1'"), more: schema, "workflow.neverHolds"),
      Mistake(
        "a word that the schema does not allow", when("$.input.priority == 'urgant'"), more: schema,
        "workflow.neverHolds", near: "urgent"),
      Mistake("two fixed values", when("'a' == 'b'"), "workflow.neverHolds", says: "always false"),
      Mistake(
        "one value, two words", when("$.input.x == 'a' && $.input.x == 'b'"), "workflow.neverHolds",
        says: "join the two with ||"),
      Mistake(
        "limits that exclude each other", when("$.input.x > 5 && $.input.x < 3"), "workflow.neverHolds",
        says: "one value can't be > 5 and < 3"),
      Mistake(
        "a value outside a limit", when("$.input.x == 5 && 3 > $.input.x"), "workflow.neverHolds",
        says: "one value can't be == 5 and < 3"),
      Mistake(
        "a number and a text", when("$.input.x > 5 && $.input.x < 'a'"), "workflow.neverHolds", says: "> 5 and < \"a\""),
      Mistake(
        "one of two is always unequal", when("$.steps.a.status != 'failed' || $.steps.a.status != 'skipped'"),
        "workflow.neverHolds", says: "join the two with &&"),
      Mistake(
        "a list counted as one value", when("count($.input.tubes) > 1"), "workflow.neverHolds",
        says: "count($.input.tubes[*])"),
      Mistake(
        "any of a list", when("$.input.tubes[*].ok == true"), "jsonpath.type", says: "$.input.tubes[?@.ok == …]"),
      Mistake(
        "the status of any item",
        "[\(items), \(Sample.get("b", #", "when": "$.steps.a.items[*].status == 'failed'""#))]",
        "jsonpath.type", says: "$.steps.a.items[?@.status == …]"),
      Mistake(
        "a status in a filter of a condition",
        "[\(items), \(Sample.get("b", #", "when": "count($.steps.a.items[?@.status != 'done']) > 1""#))]",
        "workflow.neverHolds", near: "succeeded", says: "is true for every item"),
      Mistake("in", when("$.input.x in ['a', 'b']"), "jsonpath.syntax", says: "joined with ||"),
      Mistake(
        "not null, or missing", when("$.input.x != null"), "workflow.existence", says: "holds also when it is missing"),
      Mistake(
        "not null, of an output", when("$.steps.a.output.id != null && $.input.y == 1"), "workflow.existence",
        says: "$.steps.a.output.id && "),
      Mistake(
        "a text for a boolean of a signal",
        #"[{ "id": "a", "signal": { "name": "go", "schema": { "properties": { "ok": { "type": "boolean" } } }, "accept": "$.signal.ok == 'true'" } }]"#,
        "workflow.neverHolds", says: "true or false"),
      Mistake(
        "a word that no signal has",
        #"[{ "id": "a", "signal": { "name": "go", "schema": { "properties": { "verdict": { "enum": ["pass", "fail"] } } }, "accept": "$.signal.verdict == 'passed'" } }]"#,
        "workflow.neverHolds", near: "pass"),
      Mistake("an order of booleans", when("$.input.x > true"), "workflow.neverHolds", says: "order"),
      Mistake("a text with a sum", when("sum($.input.x[*]) == '10'"), "workflow.neverHolds"),
      Mistake("a value as a condition", when("upper($.input.x)"), "jsonpath.type", says: "compare it"),
      Mistake("a single =", when("$.input.x = 1"), "jsonpath.syntax", says: "Write =="),
      Mistake("and", when("$.input.x == 1 and $.input.y == 2"), "jsonpath.syntax", says: "&&"),
      Mistake("a query without $", when("input.x == 1"), "jsonpath.syntax", says: "@ or $"),
      // Values.
      Mistake("[*] where one value is needed", body(#""${input.tubes[*].id}""#), "workflow.takesMany", says: "list(…)"),
      Mistake("a slice", body(#""${input.tubes[0:2]}""#), "workflow.takesMany"),
      Mistake(
        "a literal until that is none", #"[{ "id": "a", "delay": { "until": "tomorrow" } }]"#, "workflow.badValue",
        says: "date-time"),
      Mistake(
        "a duration as until", #"[{ "id": "a", "delay": { "until": "5m" } }]"#, "workflow.badValue",
        says: "\"for\" takes a duration"),
      Mistake(
        "what a closed schema does not have", body(#""${input.lane}""#), more: schema, "workflow.unknownMember",
        near: "lanes"),
      Mistake("?? nothing in a path", path("/${input.x ?? nothing}"), "jsonpath.type", says: "beside it"),
      Mistake(
        "a later step",
        #"[{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/${steps.b.output.x}" } }, "#
          + Sample.get("b") + "]", "workflow.stepNotBefore", says: "b runs after a"),
      // Words.
      Mistake("if", step(#""if": "$.input.x == 1""#), "workflow.unknownKey", near: "when"),
      Mistake("needs", step(#""needs": []"#), "workflow.unknownKey", near: "dependsOn"),
      Mistake("next", step(#""next": "b""#), "workflow.unknownKey", says: "dependsOn"),
      Mistake("undo", step(#""undo": "none""#), "workflow.unknownKey", near: "compensation"),
      Mistake("url of a step", step(#""url": "http://x""#), "workflow.unknownKey", says: "\"service\" and \"path\""),
      Mistake("url of a call", call(#""path": "/x", "url": "http://x""#), "workflow.unknownKey", says: "\"service\""),
      Mistake("name of a step", step(#""name": "x""#), "workflow.unknownKey", near: "id"),
      Mistake(
        "a timeout inside http", call(#""path": "/x", "timeout": "5s""#), "workflow.unknownKey", says: "beside \"http\""
      ),
      Mistake(
        "a retry inside http", call(#""path": "/x", "retry": {}"#), "workflow.unknownKey", says: "beside \"http\""),
      Mistake("a method beside http", step(#""method": "GET""#), "workflow.unknownKey", says: "inside \"http\""),
      Mistake("retryable", retry(#""retryable": ["http.409"]"#), "workflow.unknownKey", says: "\"on\""),
      Mistake("attempts", retry(#""attempts": 3"#), "workflow.unknownKey", near: "maxAttempts"),
      Mistake("backoffRate", retry(#""backoffRate": 2"#), "workflow.unknownKey", near: "backoffCoefficient"),
      Mistake("http.4xx is final", retry(#""nonRetryable": ["http.4xx"]"#), "workflow.turnsOffRetry", says: "http.429"),
      Mistake("http.* is final", retry(#""nonRetryable": ["http.*"]"#), "workflow.turnsOffRetry"),
      Mistake("a bare status is final", retry(#""nonRetryable": ["409"]"#), "workflow.noEffect", near: "http.409"),
      Mistake("a bare class is final", retry(#""nonRetryable": ["4XX"]"#), "workflow.noEffect", near: "http.4xx"),
      Mistake(
        "a bare class is retried", step(#""retry": [{ "on": ["5*"], "maxAttempts": 2 }]"#), "workflow.noEffect",
        near: "http.5xx"),
      Mistake("ignore", step(#""onFailure": "ignore""#), "workflow.badValue", near: "continue"),
      Mistake("rollback", step(#""onFailure": "rollback""#), "workflow.badValue", near: "compensate"),
      Mistake(
        "an undo after success",
        #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "appliesTo": ["success"], "http": { "service": "s", "method": "DELETE", "path": "/x" } } }]"#,
        "workflow.badValue", near: "succeeded"),
      Mistake("2XX", call(#""path": "/x", "success": "2XX""#), "workflow.badValue", near: "2xx"),
      Mistake("a number of retries", step(#""retry": 3"#), "workflow.wrongType", says: #"write { "maxAttempts": 3 }"#),
      Mistake("a lock's name", step(#""concurrency": "robot""#), "workflow.wrongType", says: #"write { "key": "#),
      Mistake(
        "a delay's time", #"[{ "id": "a", "delay": "5m" }]"#, "workflow.wrongType", says: #"write { "for": "4h" }"#),
      Mistake("weeks", step(#""timeout": "2 weeks""#), "workflow.badDuration", says: "write 14d"),
      Mistake("tasks", "[\(Sample.get("a"))]", more: "\"tasks\": [], ", "workflow.unknownKey", near: "steps"),
      Mistake(
        "a filter of a signal", #"[{ "id": "a", "signal": { "name": "go", "filter": "$.signal.x == 1" } }]"#,
        "workflow.unknownKey", near: "accept"),
      Mistake("seconds of a delay", #"[{ "id": "a", "delay": { "seconds": 5 } }]"#, "workflow.unknownKey", near: "for"),
      Mistake("retry on a signal", #"[{ "id": "a", "signal": { "name": "go" }, "retry": {} }]"#, "workflow.noEffect"),
      Mistake(
        "a topic",
        #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "topic": "t" }, "compensation": "none" }]"#,
        "workflow.unknownKey", says: "\"service\""),
    ])
  func found(_ mistake: Mistake) { expect(mistake) }

  /// Expects that the checker says of a mistake what its case says.
  func expect(_ mistake: Mistake) {
    let findings = check(mistake.file).findings
    let found = findings.first { $0.code == mistake.code }
    #expect(found != nil, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(found?.nearName == mistake.near)
    #expect(found?.message.contains(mistake.says) == true || mistake.says.isEmpty, "\(found?.message ?? "")")
  }

  @Test(
    "What is meant as it is written gets no finding",
    arguments: [
      when("$.steps.a.status == 'skipped' || $.steps.a.status == 'failed'"), when("$.input.priority == 'urgent'"),
      when("count($.input.approved) == 1"), when("$.input.x == 'a' || $.input.x == 'b'"), when("$.input.ward"),
      when("$.steps.a.output"), when("$.steps.a.output.n && $.steps.a.output.n > 1"), when("1 < $.input.x"),
      when("$.input.lanes ?? 1 > 1"), when("$.input.x > 3 && $.input.x < 5"), when("$.input.x >= 3 && $.input.x <= 3"),
      when("$.input.x && $.input.x != null"), when("$.input.x != null && number($.input.x) > 1"),
      when("count($.input.tubes[*]) > 1"), when("$.input.x == 'a' || $.input.x != 'b'"),
      afterItems("${list(steps.a.items[?@.status == 'failed'].outputError)}"),
      afterItems("${list(steps.a.items[?@.output.reads > 5 && @.item.id != 'x'].key)}"),
      body(#"{ "a": "$context", "b": "$USD", "c": "$1.5", "d": "($input.x)", "e": "$ input.x" }"#),
      when("$.input.x != 1 && $.input.x != 2"), when("count($.input.x) == 1"), when("$.input.x == $.input.y"),
      body(#"{ "a": "${sum(input.x[*])}", "b": "${list(input.x)}", "c": "${sum(list(input.x[*].y))}" }"#),
      body(#"{ "a": "${length(input.x)}", "b": "${input.a} / ${input.b}", "c": "see input.x", "d": "input.x." }"#),
      body(#"{ "password": "${input.x}", "token": null, "note": "Basic kit", "url": "https://h:1/a@b" }"#),
      call(#""path": "/x", "headers": { "X-Request": "1", "Accept": "text/csv" }"#),
      accept("$.signal.ok == true && $.input.x == 1"), accept("$.signal"),
      #"[{ "id": "g", "when": "$.input.x == 1", "steps": [{ "id": "a", "fail": { "code": "X" } }] }]"#,
      #"[{ "id": "a", "forEach": { "items": "${input.x[*]}" }, "fail": { "code": "X" } }]"#,
      accept("$.signal.approved == true"), accept("$.signal.barcode && $.signal.barcode == $.input.barcode"),
      body(#"{ "price": "5 $.", "path": "a:b", "text": "{x}", "amount": "$5" }"#), body(#""$${input.x}""#),
      body(#""${list(input.tubes[*].id)}""#), body(#""${input.tubes[?@.id == 'A'].x}""#),
      body(#"{ "a": "${input.a ?? nothing}", "b": "${input.b ?? 0}" }"#), body(#""${input.a == 1 || input.b}""#),
      path("/a:b/${input.x}"),
      retry(#""nonRetryable": ["QC_FAILED", "http.409", "http.5xx", "http.429"]"#),
      #"[{ "id": "a", "delay": { "until": "2026-03-01T08:00:00Z" } }]"#,
      #"[{ "id": "a", "delay": { "until": "${input.at}" } }]"#,
    ])
  func silent(_ steps: String) {
    #expect(check(Sample.workflow(steps)).findings.map(\.description) == [])
  }

  @Test(
    "An optional input that has another value, or for which a condition asks, gets no finding",
    arguments: [
      body(#""${input.name ?? nothing}""#), body(#""${sum(input.patient.values[*])}""#),
      "[\(Sample.get("a", #", "when": "$.input.name""#).replacing("\"/x\"", with: "\"/${input.name}\""))]",
      #"[{ "id": "g", "when": "$.input.name == 'x'", "steps": [{ "id": "a", "delay": { "until": "${input.name}" } }] }]"#,
      #"[{ "id": "r", "when": "!$.input.name", "fail": { "code": "X" } }, "#
        + #"{ "id": "a", "delay": { "until": "${input.name}" } }]"#,
    ])
  func asked(_ steps: String) {
    let file = Sample.workflow(
      steps, more: Self.schema.replacing(#""additionalProperties": false, "#, with: "") + #""title": "${input.name}", "#
    )
    #expect(check(file).findings.map(\.code).filter { $0 == WorkflowErrorCode.optionalRead } == [])
  }

  @Test("A near name of an open schema is a warning")
  func undeclared() {
    let open = Self.schema.replacing(#""additionalProperties": false, "#, with: "")
    let findings = check(Sample.workflow(Self.body(#""${input.lane}""#), more: open)).findings
    #expect(findings.map(\.code).contains(WorkflowErrorCode.undeclaredInput))
  }
}
