import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The title and the labels in a workflow file", .timeLimit(.minutes(15)), .inTurn)
struct StartTextTests {
  private static let delay = #"[{ "id": "wait", "delay": { "for": "1s" } }]"#
  private let schema: SchemaValidator

  init() throws {
    schema = SchemaValidator(document: try JSON(parsing: try Repository.bytes("docs/schema/workflow.schema.json")))
  }

  /// - Parameter member: in line 1, from column 30 on.
  private func file(_ member: String) -> String { Sample.workflow(Self.delay, more: member + ",") }

  @Test("A workflow has a title and labels in the order of the file")
  func read() throws {
    let workflow = try definition(
      file(
        #""title": "${input.barcode} of ${saga.startedBy}", "labels": { "patient": "${input.patientId}", "lab": "north" }"#
      ))
    #expect(workflow.title == (try TextTemplate("${input.barcode} of ${saga.startedBy}")))
    #expect(workflow.labels.map(\.name) == ["patient", "lab"])
    #expect(workflow.labels.map(\.value.source) == ["${input.patientId}", "north"])
    let plain = try definition(file(#""owner": "x""#))
    #expect(plain.title == nil && plain.labels.isEmpty)
  }

  @Test("A label may be left out with ?? nothing")
  func leftOut() {
    #expect(
      check(file(#""title": "${input.name ?? nothing}", "labels": { "a": "${input.a ?? nothing}" }"#)).findings == [])
  }

  @Test(
    "A wrong form is an error at its place, and the schema refuses it",
    arguments: [
      (#""title": 7"#, Found("workflow.wrongType", "/title", 1, 39)),
      (#""title": """#, Found("workflow.badValue", "/title", 1, 39)),
      (#""title": " \n""#, Found("workflow.badValue", "/title", 1, 39)),
      (#""labels": ["patient"]"#, Found("workflow.wrongType", "/labels", 1, 40)),
      (#""labels": { "patient": 17 }"#, Found("workflow.wrongType", "/labels/patient", 1, 53)),
      (#""labels": { "patient": {} }"#, Found("workflow.wrongType", "/labels/patient", 1, 53)),
      (#""labels": { "the patient": "x" }"#, Found("workflow.badName", "/labels/the patient", 1, 42)),
      (#""labels": { "": "x" }"#, Found("workflow.badName", "/labels/", 1, 42)),
      (#""labels": { "a:b": "x" }"#, Found("workflow.badName", "/labels/a:b", 1, 42)),
      (#""labels": { "a": "" }"#, Found("workflow.badValue", "/labels/a", 1, 47)),
      (#""tilte": "x""#, Found("workflow.unknownKey", "/tilte", 1, 30, near: "title")),
      (#""label": {}"#, Found("workflow.unknownKey", "/label", 1, 30, near: "labels")),
      (#""tags": []"#, Found("workflow.unknownKey", "/tags", 1, 30, near: "labels")),
      (#""displayName": "x""#, Found("workflow.unknownKey", "/displayName", 1, 30, near: "title")),
    ])
  func forms(member: String, found: Found) throws {
    #expect(errors(file(member)) == [found])
    #expect(try !schema.accepts(try JSON(parsing: file(member))))
  }

  @Test("A workflow has at most 16 labels")
  func many() throws {
    func text(_ count: Int) -> String {
      file("\"labels\": { " + (1...count).map { "\"l\($0)\": \"x\"" }.joined(separator: ", ") + " }")
    }
    #expect(errors(text(16)) == [])
    #expect(errors(text(17)) == [Found("workflow.badValue", "/labels", 1, 40)])
    #expect(try schema.accepts(try JSON(parsing: text(16))))
    #expect(try !schema.accepts(try JSON(parsing: text(17))))
  }

  @Test("A fixed text that no saga can show is an error")
  func fixed() {
    #expect(errors(file(#""title": "\u200b""#)) == [Found("workflow.badValue", "/title", 1, 39)])
    let long = String(repeating: "x", count: 201)
    #expect(errors(file("\"labels\": { \"a\": \"\(long)\" }")) == [Found("workflow.badValue", "/labels/a", 1, 47)])
  }

  @Test(
    "A read of a step is an error at its place",
    arguments: [
      (#""title": "${steps.wait.status}""#, Found("workflow.stepNotBefore", "/title", 1, 42)),
      (#""title": "id ${steps.wait.uuid}""#, Found("workflow.stepNotBefore", "/title", 1, 45)),
      (#""labels": { "a": "${steps.other.output}" }"#, Found("workflow.stepNotBefore", "/labels/a", 1, 50)),
    ])
  func steps(member: String, found: Found) {
    let result = check(file(member))
    #expect(result.errors.map { Found($0) } == [found])
    #expect(
      result.errors.first?.message
        == "\"title\" and \"labels\" are made when the saga starts, before every step: they read input and saga")
  }

  @Test("A text that reads nothing of the document is an error with the roots that there are")
  func roots() {
    let result = check(file(#""title": "${inptu.barcode}""#))
    #expect(result.errors.map { Found($0) } == [Found("workflow.unknownRoot", "/title", 1, 42, near: "input")])
    #expect(result.errors.first?.message.contains("it has input, saga") == true)
    #expect(
      errors(file(#""title": "${wait.output}""#)) == [Found("workflow.unknownRoot", "/title", 1, 42)])
    #expect(
      errors(file(#""title": "${saga.nmae}""#)) == [Found("workflow.unknownMember", "/title", 1, 47)])
    #expect(errors(file(#""title": "${input.a""#)).map(\.code) == ["template.unclosed"])
  }

  @Test("Input that the schema does not have, and expressions of other languages, are found as in actions")
  func advice() {
    let closed =
      #""inputSchema": { "properties": { "barcode": {} }, "additionalProperties": false }, "title": "${input.barcod}""#
    #expect(errors(file(closed)).map(\.code) == ["workflow.unknownMember"])
    #expect(errors(file(closed)).first?.near == "barcode")
    let open = #""inputSchema": { "properties": { "patientId": {} } }, "labels": { "p": "${input.patientID}" }"#
    #expect(warnings(file(open)).map(\.code) == ["workflow.undeclaredInput"])
    #expect(warnings(file(#""title": "{{input.barcode}}""#)).map(\.code) == ["workflow.foreignExpression"])
    #expect(warnings(file(#""labels": { "a": "$.input.a" }"#)).map(\.code) == ["workflow.foreignExpression"])
  }

  @Test("A stored definition with labels that a later rule refuses is still decoded")
  func stored() throws {
    let labels = (1...20).map { "\"the label \($0)\": \"${steps.wait.output}\"" }.joined(separator: ", ")
    let text = file("\"title\": \"\", \"labels\": { \(labels) }")
    #expect(check(text).definition == nil)
    let decoded = try StoredWorkflow.decode(Array(text.utf8))
    #expect(decoded.title?.source == "")
    #expect(decoded.labels.count == 20 && decoded.labels.first?.name == "the label 1")
  }
}
