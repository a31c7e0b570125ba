import JSON
import JSONSchema
import TestSupport
import Testing

@testable import Workflows

@Suite("Schemas in workflow files", .timeLimit(.minutes(15)), .inTurn)
struct InputSchemaTests {
  private static let step = #"[{ "id": "a", "delay": { "for": "1s" } }]"#

  @Test(
    "A mistake in an input schema is found with its place in the file",
    arguments: [
      (
        #"{ "properties": { "volumeUl": { "maximum": "1000" } } }"#,
        [Found(SchemaErrorCode.keyword, "/inputSchema/properties/volumeUl/maximum", 1, 88)]
      ),
      (
        ##"{ "$ref": "#/$defs/tub", "$defs": { "tube": {} } }"##,
        [Found(SchemaErrorCode.reference, "/inputSchema/$ref", 1, 55, near: "tube")]
      ),
      (
        #"{ "$ref": "https://lab.example/tube.json" }"#,
        [Found(SchemaErrorCode.remoteReference, "/inputSchema/$ref", 1, 55)]
      ),
      (#"{ "pattern": "ab(?=c)" }"#, [Found(SchemaErrorCode.unsupported, "/inputSchema/pattern", 1, 61)]),
      (
        #"{ "type": "objekt", "minimum": null }"#,
        [
          Found(SchemaErrorCode.keyword, "/inputSchema/type", 1, 55, near: "object"),
          Found(SchemaErrorCode.keyword, "/inputSchema/minimum", 1, 76),
        ]
      ),
    ] as [(String, [Found])])
  func inputSchema(_ schema: String, _ found: [Found]) {
    let result = check(Sample.workflow(Self.step, more: "\"inputSchema\": \(schema),"))
    #expect(result.errors.map { Found($0) } == found)
    #expect(result.definition == nil)
  }

  @Test("A misspelt keyword of a signal's schema is a warning with the name that was meant")
  func signalSchema() {
    let result = check(
      Sample.workflow(#"[{ "id": "a", "signal": { "name": "x", "schema": { "requried": ["ok"] } } }]"#))
    #expect(
      result.findings.map { Found($0) } == [
        Found(SchemaErrorCode.misspelt, "/steps/0/signal/schema/requried", 2, 61, near: "required")
      ])
    #expect(result.findings.allSatisfy { $0.severity == .warning })
    #expect(result.definition != nil)
  }

  @Test("A registered workflow with a schema that can't be compiled is read, and the schema refuses nothing")
  func stored() throws {
    let text = Sample.workflow(Self.step, more: #""inputSchema": { "pattern": "(?=a)" },"#)
    #expect(check(text).definition == nil)
    let schemas = try StoredWorkflow.decode(Array(text.utf8)).schemas
    #expect(schemas.map(\.pointer.description) == ["/inputSchema"])
    #expect(schemas.first?.schema.compiled == nil)
    #expect(schemas.first?.schema.findings.map(\.code) == [SchemaErrorCode.unsupported])
  }

  @Test("Two waits of one name give no warning only when no body meets both schemas")
  func toldApart() {
    func codes(_ first: String, _ second: String) -> [String] {
      let step = { (id: String, schema: String) in
        #"{ "id": "\#(id)", "signal": { "name": "x", "schema": \#(schema) } }"#
      }
      return check(Sample.workflow("[\(step("a", first)), \(step("b", second))]")).findings.map(\.code)
    }
    func role(_ values: String, _ more: String = #""required": ["role"]"#) -> String {
      #"{ "type": "object", "properties": { "role": \#(values) }, \#(more) }"#
    }
    #expect(codes(role(#"{ "const": "qa" }"#), role(#"{ "const": "lead" }"#)) == [])
    #expect(codes(role(#"{ "enum": ["qa", "qc"] }"#), role(#"{ "const": "lead" }"#)) == [])
    // A body with both members, with a role in common, or without a role, meets both.
    for (first, second) in [
      ("{}", "{}"), (#"{ "required": ["a"] }"#, #"{ "required": ["b"] }"#),
      (role(#"{ "enum": ["qa", "lead"] }"#), role(#"{ "const": "lead" }"#)),
      (role(#"{ "const": "qa" }"#), role(#"{ "const": "lead" }"#, #""minProperties": 0"#)),
    ] {
      #expect(codes(first, second) == [WorkflowErrorCode.signalsAlike], "\(first) and \(second)")
    }
  }

  @Test("The shipped workflow takes its example, and no text in its place")
  func shipped() throws {
    for name in ["sample-processing", "sample-processing-kafka"] {
      let definition = try #require(
        WorkflowChecker.check(try Repository.bytes("workflows/\(name).json")).definition)
      let schema = try #require(definition.inputSchema?.compiled)
      #expect(try schema.validate(try JSON(parsing: try Repository.bytes("workflows/examples/tube.json"))).isValid)
      #expect(try !schema.accepts("text"))
    }
  }
}
