import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Sensitive fields of schemas", .timeLimit(.minutes(15)), .inTurn)
struct SensitiveTests {
  private static func sealed(_ schema: String, _ value: JSON) throws -> JSON {
    let schema = WorkflowSchema(try JSON(parsing: Array(schema.utf8)))
    #expect(schema.findings.isEmpty, "\(schema.findings)")
    return schema.replacingSensitive(in: value) { _ in "X" }
  }

  @Test(
    "A marked part is found, wherever the schema says it",
    arguments: [
      (#"{"properties": {"a": {"sensitive": true}}}"#, ["a": "X", "b": "n"]),
      (#"{"properties": {"sensitive": {"type": "string"}}}"#, ["a": "n", "b": "n"]),
      (#"{"properties": {"a": {"sensitive": false}}}"#, ["a": "n", "b": "n"]),
      (#"{"sensitive": true}"#, "X"),
      (#"{"additionalProperties": {"sensitive": true}}"#, ["a": "X", "b": "X"]),
      (#"{"properties": {"a": {}}, "additionalProperties": {"sensitive": true}}"#, ["a": "n", "b": "X"]),
      (#"{"patternProperties": {"^z": {"sensitive": true}}}"#, ["a": "X", "b": "X"]),
      (##"{"properties": {"a": {"$ref": "#/$defs/p"}}, "$defs": {"p": {"sensitive": true}}}"##, ["a": "X", "b": "n"]),
      (
        ##"{"properties": {"a": {"$ref": "#p"}}, "$defs": {"q": {"$anchor": "p", "sensitive": true}}}"##,
        ["a": "X", "b": "n"]
      ),
      (#"{"allOf": [{"anyOf": [{"properties": {"a": {"sensitive": true}}}, {}]}]}"#, ["a": "X", "b": "n"]),
      (#"{"if": {}, "then": {"properties": {"b": {"sensitive": true}}}}"#, ["a": "n", "b": "X"]),
    ] as [(String, JSON)])
  func members(schema: String, wanted: JSON) throws {
    #expect(try Self.sealed(schema, ["a": "n", "b": "n"]) == wanted)
  }

  @Test("Elements of lists are found, objects are replaced as a whole, and null stays null")
  func shapes() throws {
    let list = #"{"items": {"properties": {"p": {"sensitive": true}}}}"#
    #expect(
      try Self.sealed(list, [["p": "n", "q": 1], ["q": 2], ["p": .null]]) == [
        ["p": "X", "q": 1], ["q": 2], ["p": .null],
      ])
    let first = #"{"prefixItems": [{"sensitive": true}], "items": {"type": "integer"}}"#
    #expect(try Self.sealed(first, ["n", 2, 3]) == ["X", 2, 3])
    #expect(try Self.sealed(#"{"properties": {"a": {"sensitive": true}}}"#, ["a": ["b": [1, true]]]) == ["a": "X"])
    // A schema that refers to itself, at every depth of the value.
    let tree = ##"{"properties": {"name": {"sensitive": true}, "below": {"$ref": "#"}}}"##
    #expect(
      try Self.sealed(tree, ["name": "n", "below": ["name": "m", "below": ["name": "o"]]])
        == ["name": "X", "below": ["name": "X", "below": ["name": "X"]]])
  }

  // MARK: The checker

  private static let schema =
    #""inputSchema": {"properties": {"patient": {"sensitive": true}, "code": {}, "samples": "#
    + #"{"items": {"properties": {"donor": {"sensitive": true}, "tube": {}}}}}},"#

  private func codes(_ more: String, _ step: String = Sample.get("a")) -> Set<String> {
    Set(check(Sample.workflow("[\(step)]", more: Self.schema + more)).findings.map(\.code))
  }

  @Test("A key that reads a sensitive field is an error; a title, a label and a path get a warning")
  func uses() {
    #expect(codes("").isDisjoint(with: [WorkflowErrorCode.sensitiveKey, WorkflowErrorCode.sensitiveShown]))
    #expect(codes(#""title": "Case ${input.code}","#).isDisjoint(with: [WorkflowErrorCode.sensitiveShown]))
    #expect(codes(#""title": "Case ${input.patient}","#).contains(WorkflowErrorCode.sensitiveShown))
    #expect(codes(#""labels": {"who": "${input.patient}"},"#).contains(WorkflowErrorCode.sensitiveShown))
    #expect(codes(#""concurrency": {"key": "${input.patient}"},"#).contains(WorkflowErrorCode.sensitiveKey))
    #expect(codes(#""concurrency": {"key": "${input.code}"},"#).isDisjoint(with: [WorkflowErrorCode.sensitiveKey]))
    let path = #"{"id": "a", "http": {"service": "s", "method": "GET", "path": "/x/${input.patient}"}}"#
    #expect(codes("", path).contains(WorkflowErrorCode.sensitiveShown))
    func items(_ key: String) -> String {
      #"{"id": "a", "forEach": {"items": "${input.samples}", "as": "sample", "key": "\#(key)"}, "#
        + #""http": {"service": "s", "method": "GET", "path": "/x"}}"#
    }
    #expect(codes("", items("${sample.donor}")).contains(WorkflowErrorCode.sensitiveKey))
    #expect(codes("", items("${sample.tube}")).isDisjoint(with: [WorkflowErrorCode.sensitiveKey]))
  }

  @Test("A reference out of the schema is an error when a field is marked, and a misspelt mark is a warning")
  func schemas() {
    func found(_ schema: String) -> Set<String> {
      Set(check(Sample.workflow("[\(Sample.get("a"))]", more: #""inputSchema": \#(schema),"#)).findings.map(\.code))
    }
    let reference = #""b": {"$ref": "https://json-schema.org/draft/2020-12/schema"}"#
    let foreign = #"{"properties": {"a": {"sensitive": true}, \#(reference)}}"#
    #expect(found(foreign).contains(WorkflowErrorCode.sensitiveUnknown))
    #expect(!found(#"{"properties": {\#(reference)}}"#).contains(WorkflowErrorCode.sensitiveUnknown))
    #expect(!found(#"{"properties": {"a": {"sensitiv": true}}}"#).isEmpty)
    #expect(!found(#"{"properties": {"a": {"sensitive": "yes"}}}"#).isEmpty)
  }
}
