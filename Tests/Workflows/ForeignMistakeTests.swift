import Testing

@testable import Workflows

/// Mistakes of authors who know another engine or another language, and of those who forget what may be missing.
extension MistakeTests {
  static let wordsOfOthers: [Mistake] = [
    Mistake("uses", step(#""uses": "actions/checkout""#), "workflow.unknownKey", says: "\"http\""),
    Mistake("run", step(#""run": "make""#), "workflow.unknownKey", says: "a worker with \"task\""),
    Mistake("with", step(#""with": {}"#), "workflow.unknownKey", says: "\"body\" of \"http\""),
    Mistake("continue-on-error", step(#""continue-on-error": true"#), "workflow.unknownKey", near: "onFailure"),
    Mistake("a word of another case", step(#""Next": "b""#), "workflow.unknownKey", says: "dependsOn"),
    Mistake("ResultPath", step(#""ResultPath": "$.x""#), "workflow.unknownKey", says: "steps.ID.output"),
    Mistake("startToCloseTimeout", step(#""startToCloseTimeout": "5m""#), "workflow.unknownKey", near: "timeout"),
    Mistake("trigger_rule", step(#""trigger_rule": "all_done""#), "workflow.unknownKey", says: "$.steps.ID.status"),
    Mistake("else", step(#""else": []"#), "workflow.unknownKey", says: "its own \"when\""),
    Mistake("finally", step(#""finally": []"#), "workflow.unknownKey", says: "\"compensation\""),
    Mistake("maximumAttempts", retry(#""maximumAttempts": 3"#), "workflow.unknownKey", near: "maxAttempts"),
    Mistake("ErrorEquals", retry(#""ErrorEquals": ["x"]"#), "workflow.unknownKey", says: "\"on\""),
    Mistake("on", "[\(Sample.get("a"))]", more: #""on": { "push": {} }, "#, "workflow.unknownKey", says: "over REST"),
    Mistake("StartAt", "[\(Sample.get("a"))]", more: #""StartAt": "a", "#, "workflow.unknownKey", says: "starts first"),
    Mistake(
      "defaults of an undo", "[\(Sample.get("a"))]", more: #""defaults": { "compensation": "none" }, "#,
      "workflow.unknownKey", says: "each step says itself"),
    Mistake("a token of a call", call(#""path": "/x", "auth": {}"#), "workflow.unknownKey", says: "configuration"),
    Mistake(
      "forEach inside http", call(#""path": "/x", "forEach": {}"#), "workflow.unknownKey", says: "beside \"http\""),
    Mistake(
      "an address as service", step(#""x": 1"#).replacing("\"s\"", with: "\"http://s\""), "workflow.badName",
      says: "a name"),
    Mistake(
      "an undo by name",
      #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "step": "b" } }]"#,
      "workflow.unknownKey", says: "an action of its own"),
    Mistake(
      "no undo as null",
      #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": null }]"#,
      "workflow.wrongType", says: "write \"none\""),
    Mistake("seconds without a unit", step(#""timeout": 30"#), "workflow.wrongType", says: "write \"30s\""),
    Mistake("one dependency as a text", step(#""dependsOn": "b""#), "workflow.wrongType", says: "write [\"b\"]"),
    Mistake("a condition that is true", step(#""when": true"#), "workflow.wrongType", says: "leave it out"),
    Mistake("an id with a hyphen", "[\(Sample.get("create-tube"))]", "workflow.badName", near: "createTube"),
    Mistake(
      "a signal's name for each saga", #"[{ "id": "a", "signal": { "name": "${input.x}" } }]"#, "workflow.badName",
      says: "the same for all sagas"),
    Mistake(
      "steps by name", #"{ "a": {} }"#, "workflow.wrongType", says: "each step has its \"id\""),
    Mistake(
      "a number of seconds as until", #"[{ "id": "a", "delay": { "until": "${input.at + 3600}" } }]"#,
      "workflow.neverHolds", says: "timestamp(seconds(…)"),
  ]

  static let expressionsOfOthers: [Mistake] = [
    Mistake("${{x}}", body(#""${{ input.x }}""#), "jsonpath.syntax", says: "one pair of braces"),
    Mistake("a method", body(#""${input.x.toUpperCase()}""#), "jsonpath.syntax", says: "length(input.x)"),
    Mistake(
      "?? behind the braces", body(#""${input.x} ?? 5""#), "workflow.foreignExpression", says: "inside the braces"),
    Mistake("a backslash", body(#""\\${input.x}""#), "workflow.foreignExpression", says: "$${"),
    Mistake("a name without braces", body(#""input.x""#), "workflow.foreignExpression", says: "write ${input.x}"),
    Mistake("%x%", body(#""%input.x%""#), "workflow.foreignExpression", says: "write ${input.x}"),
    Mistake("[[x]]", body(#""[[input.x]]""#), "workflow.foreignExpression", says: "write ${input.x}"),
    Mistake("$x['y']", body(#""$input['x']""#), "workflow.foreignExpression", says: "write ${input.…}"),
    Mistake("a query in a path", path("/x/$.input.id"), "workflow.foreignExpression", says: "write ${input.…}"),
    Mistake("not, of a value", body(#""${!input.x}""#), "workflow.existence", says: "== false"),
    Mistake("a member of a text", afterA("${steps.a.uuid.id}"), "workflow.unknownMember", says: "a text"),
    Mistake("success()", when("success()"), "jsonpath.unknownFunction", says: "$.steps.ID.status"),
    Mistake("defined()", when("defined($.input.x)"), "jsonpath.unknownFunction", says: "A query alone"),
    Mistake("substring()", body(#""${substring(input.x, 1)}""#), "jsonpath.unknownFunction", says: "a part of a text"),
    Mistake("equals", when("$.input.x equals 1"), "jsonpath.syntax", says: "write =="),
    Mistake("matches", when("$.input.x matches 'a'"), "jsonpath.syntax", says: "match(text, 'pattern')"),
    Mistake("between", when("$.input.x between 1 and 2"), "jsonpath.syntax", says: ">= low"),
    Mistake("$input in a condition", when("$input.x == 1"), "jsonpath.syntax", says: "$.input"),
    Mistake("a root without $", when("steps.a.status == 'failed'"), "jsonpath.syntax", says: "write $.steps"),
    Mistake("a status as a member", when("$.steps.a.failed == true"), "workflow.unknownMember", says: "its status"),
    Mistake("a value with itself", when("$.input.x == $.input.x"), "workflow.neverHolds", says: "with itself"),
    Mistake("params", body(#""${params.x}""#), "workflow.unknownRoot", says: "started with is input"),
    Mistake(
      "the body of a signal", accept("$.body.ok == true"), "workflow.unknownRoot", says: "the signal is $.signal"),
    Mistake("a member of a signal", accept("$.ok == true"), "workflow.unknownRoot", says: "$.signal.ok"),
    Mistake("$.signal.body", accept("$.signal.body.ok == true"), "workflow.undeclaredInput", says: "$.signal.ok"),
    Mistake("accept without a signal", accept("$.input.ok == true"), "workflow.noEffect", says: "read $.signal"),
    Mistake(
      "a misspelt member of a signal",
      #"[{ "id": "a", "signal": { "name": "go", "schema": { "properties": { "approved": {} } }, "accept": "$.signal.aproved == true" } }]"#,
      "workflow.undeclaredInput", says: "but \"approved\""),
    Mistake(
      "the length of a list", body(#""${input.tubes.length}""#),
      more: #""inputSchema": { "properties": { "tubes": { "type": "array" } } }, "#, "workflow.unknownMember",
      says: "write length(input.tubes)"),
  ]

  static let forgotten: [Mistake] = [
    Mistake(
      "an optional input", body(#""${input.name}""#), more: schema, "workflow.optionalRead", says: "input.name ??"),
    Mistake(
      "a member of an optional input", body(#""${input.patient.id}""#), more: schema, "workflow.optionalRead",
      says: "require \"patient\""),
    Mistake(
      "an optional input in the output", "[\(Sample.get("a"))]", more: schema + #""output": "${input.name}", "#,
      "workflow.optionalRead", says: "the output has null"),
    Mistake(
      "an optional member of a signal",
      #"[{ "id": "a", "signal": { "name": "go", "schema": { "properties": { "comment": {} } } } }, "#
        + #"{ "id": "b", "delay": { "until": "${steps.a.output.comment}" } }]"#,
      "workflow.optionalRead", says: "the schema of a does not require"),
    Mistake("the sum of one value", body(#""${sum(input.x)}""#), "workflow.takesOne", says: "input.x[*]"),
    Mistake("the average of one value", when("avg($.input.x) > 1"), "workflow.takesOne", says: "input.x[*]"),
    Mistake("a join of one value", body(#""${join(saga.tags, ', ')}""#), "workflow.takesOne", says: "saga.tags[*]"),
    Mistake("the count of one value", body(#""${count(input.x)}""#), "workflow.takesOne", says: "counts one value"),
    Mistake(
      "a failure of every saga", #"[{ "id": "a", "fail": { "code": "X" } }]"#, "workflow.alwaysFails",
      says: "every saga that comes to it turns back"),
    Mistake(
      "a failure in a group", #"[{ "id": "g", "steps": [{ "id": "a", "fail": { "code": "X" } }] }]"#,
      "workflow.alwaysFails"),
    Mistake(
      "a token in a header", call(#""path": "/x", "headers": { "Authorization": "Bearer abc" }"#),
      "workflow.secretInFile", says: "configuration of the service"),
    Mistake(
      "a key in a header", call(#""path": "/x", "headers": { "X-Api-Key": "abc" }"#), "workflow.secretInFile",
      says: "\"X-Api-Key\""),
    Mistake("a key in the query", call(#""path": "/x", "query": { "api_key": "abc" }"#), "workflow.secretInFile"),
    Mistake("a password in a body", body(#"{ "login": { "password": "abc" } }"#), "workflow.secretInFile"),
    Mistake(
      "a token under another name", body(#"{ "a": "Bearer eyJhbGciOiJIUzI1NiJ9" }"#), "workflow.secretInFile"),
    Mistake("a password in an address", body(#"["https://u:p@h/x"]"#), "workflow.secretInFile", says: "this address"),
  ]

  @Test("A word of another engine is found, with the word that was meant or what to do", arguments: wordsOfOthers)
  func wordOfOthers(_ mistake: Mistake) { expect(mistake) }

  @Test("An expression of another language is found, with what to write", arguments: expressionsOfOthers)
  func expressionOfOthers(_ mistake: Mistake) { expect(mistake) }

  @Test("What an author forgets is found, with what to do", arguments: forgotten)
  func forgotten(_ mistake: Mistake) { expect(mistake) }
}
