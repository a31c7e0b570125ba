import Testing

@testable import Workflows

extension FormTests {
  static let kafkaCases: [Case] = [
    Case(
      "an empty command",
      #"[{ "id": "a", "kafka": {} }]"#,
      [Found("workflow.missingKey", "/steps/0/kafka", 2, 33), Found("workflow.missingKey", "/steps/0/kafka", 2, 33)]),
    Case(
      "a command that is a word",
      #"[{ "id": "a", "kafka": "create" }]"#,
      [Found("workflow.wrongType", "/steps/0/kafka", 2, 33)]),
    Case(
      "a command with a topic",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "topic": "t" } }]"#,
      [Found("workflow.unknownKey", "/steps/0/kafka/topic", 2, 67)]),
    Case(
      "a misspelt member of a command",
      #"[{ "id": "a", "kafka": { "service": "s", "comand": "c" } }]"#,
      [
        Found("workflow.missingKey", "/steps/0/kafka", 2, 33),
        Found("workflow.unknownKey", "/steps/0/kafka/comand", 2, 51, near: "command"),
      ]),
    Case(
      "a topic with a slash for a service",
      #"[{ "id": "a", "kafka": { "service": "lab/samples", "command": "c" } }]"#,
      [Found("workflow.badName", "/steps/0/kafka/service", 2, 46, near: "lab-samples")]),
    Case(
      "a command that is no name",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "create it" } }]"#,
      [Found("workflow.badName", "/steps/0/kafka/command", 2, 62, near: "create-it")]),
    Case(
      "a command with an expression",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "${input.c}" } }]"#,
      [Found("workflow.badName", "/steps/0/kafka/command", 2, 62)]),
    Case(
      "a command that is a number",
      #"[{ "id": "a", "kafka": { "service": "s", "command": 1 } }]"#,
      [Found("workflow.wrongType", "/steps/0/kafka/command", 2, 62)]),
    Case(
      "Kafka headers that the engine sets",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "headers": { "Saga-Attempt": "1", "ce_type": "t" } } }]"#,
      [
        Found("workflow.badHeader", "/steps/0/kafka/headers/Saga-Attempt", 2, 80),
        Found("workflow.badHeader", "/steps/0/kafka/headers/ce_type", 2, 101),
      ]),
    Case(
      "a Kafka header twice",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "headers": { "ward": "7", "Ward": "8" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/kafka/headers/Ward", 2, 93)]),
    Case(
      "a Kafka header with a line break",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "headers": { "ward": "7\n8" } } }]"#,
      [Found("workflow.badHeader", "/steps/0/kafka/headers/ward", 2, 88)]),
    Case(
      "Kafka headers that are a list",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "headers": ["ward"] } }]"#,
      [Found("workflow.wrongType", "/steps/0/kafka/headers", 2, 78)]),
    Case(
      "a command and a call",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.manyActions", "/steps/0/http", 2, 69)]),
    Case(
      "an undo by a command and a call",
      #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "kafka": { "service": "s", "command": "c" }, "http": { "service": "s", "method": "DELETE", "path": "/x" } } }]"#,
      [Found("workflow.manyActions", "/steps/0/compensation/http", 2, 146)]),
  ]
}

extension MeaningTests {
  static let kafkaCases: [Case] = [
    Case(
      "a command that reads a later step",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "body": { "x": ["${steps.b.output.id}"] } } },\#n{ "id": "b", "http": { "service": "s", "method": "GET", "path": "/x" } }]"#,
      [Found("workflow.stepNotBefore", "/steps/0/kafka/body/x/0", 2, 92)]),
    Case(
      "a header of a command that reads nothing there is",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "headers": { "ward": "${inptu.ward}" } } }]"#,
      [Found("workflow.unknownRoot", "/steps/0/kafka/headers/ward", 2, 91, near: "input")]),
    Case(
      "a body of a command with a query that is none",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c", "body": "${input[}" } }]"#,
      [Found("jsonpath.syntax", "/steps/0/kafka/body", 2, 84)]),
    Case(
      "an undo by a command that reads its step's output",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "compensation": { "kafka": { "service": "s", "command": "c", "body": "${steps.a.output.id}" } } }]"#,
      [Found("workflow.undoReadsOutput", "/steps/0/compensation/kafka/body", 2, 149)]),
    Case(
      "commands longer than the saga",
      #"[{ "id": "a", "kafka": { "service": "s", "command": "c" }, "timeout": "40s" }, { "id": "b", "kafka": { "service": "s", "command": "c" }, "timeout": "30s" }]"#,
      more: #""timeout": "1m","#,
      [Found("workflow.tooSlow", "/timeout", 1, 41)]),
  ]
}
