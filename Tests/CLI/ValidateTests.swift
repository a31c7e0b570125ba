import Foundation
import JSON
import JSONSchema
import TestSupport
import Testing

@testable import saga

@Suite("saga validate", .timeLimit(.minutes(15)), .inTurn)
struct ValidateTests {
  /// Writes a file that lives as long as the test.
  private static func file(_ name: String, _ text: String) throws -> String {
    let file = try TestFolder.new("validate").appending(path: name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  static let schema = """
    {
      "required": ["barcode"],
      "properties": { "volumeUl": { "maximum": 1000 } }
    }
    """

  @Test("prints every violation with its line and column")
  func violations() async throws {
    let schema = try Self.file("tube.schema.json", Self.schema)
    let result = await TestTool(input: ["{\n  \"volumeUl\": 1200\n}"]).run("validate", schema)
    #expect(result.status == .failure)
    #expect(
      result.output == """
        <stdin>:1:1: error: barcode is missing; the schema requires it (/required) [jsonschema.violation]
            1 | {
              | ^
        <stdin>:2:15: error: volumeUl is 1200; the schema allows at most 1000 (/properties/volumeUl/maximum) \
        [jsonschema.violation]
            2 |   "volumeUl": 1200
              |               ^
        <stdin>: 2 errors

        """)
  }

  @Test("says that data meets the schema")
  func valid() async throws {
    let schema = try Self.file("tube.schema.json", Self.schema)
    let result = await TestTool(input: [#"{"barcode": "T-1"}"#]).run("validate", schema, "-")
    #expect(result.status == .success)
    #expect(result.output == "<stdin> meets the schema\n")
    let json = await TestTool(input: [#"{"barcode": "T-1"}"#]).run("validate", schema, "--json")
    #expect(try JSON(parsing: json.output) == ["valid": true, "errors": []])
  }

  @Test("takes the inputSchema of a workflow")
  func workflow() async throws {
    let result = await TestTool(input: [#"{"input": "text"}"#]).run("validate", "workflows/sample-processing.json")
    #expect(result.status == .failure)
    #expect(result.output.contains("barcode is missing; the schema requires it (/required)"))
    let without = try Self.file("w.json", #"{"name": "w", "version": 1, "steps": []}"#)
    #expect(await TestTool(input: ["{}"]).run("validate", without).status == .usage)
  }

  @Test("prints the mistakes of a schema, and its warnings")
  func mistakes() async throws {
    let schema = try Self.file("s.json", "{\n  \"minLenght\": 1,\n  \"pattern\": \"(?=a)\"\n}")
    let result = await TestTool(input: ["1"]).run("validate", schema)
    #expect(result.status == .failure)
    #expect(result.output.contains("s.json:2:3: warning: "))
    #expect(result.output.contains("(did you mean \"minLength\"?) [jsonschema.misspelt]"))
    #expect(result.output.contains("s.json:3:14: error: the pattern \"(?=a)\" can't be used: look-ahead"))
    #expect(result.output.hasSuffix("s.json: 1 error\n"))
    let json = await TestTool(input: ["1"]).run("validate", schema, "--json")
    let answer = try JSON(parsing: json.output)
    #expect(answer["valid"] == false)
    #expect(answer["errors"]?.arrayValue?.map { $0["code"] } == ["jsonschema.unsupported"])
  }

  @Test("wrong usage is refused", arguments: [["validate"], ["validate", "--batch", "x"], ["validate", "-", "-"]])
  func usage(_ words: [String]) async { #expect(await TestTool(input: ["{}"]).run(words).status == .usage) }

  @Test("--batch answers every line in order, invalid lines too")
  func batch() async throws {
    let lines = [
      #"{"schema":{"type":"string"},"data":"a"}"#, #"{"schema":{"maximum":1},"data":2}"#, "", "nope",
      #"{"schema":true}"#,
      #"{"schema":{"type":"strin"},"data":1}"#, #"{"schema":{"$ref":"https://example.com/s"},"data":1}"#,
      ##"{"schema":{"anyOf":[{"type":"string"},{"$ref":"#"}]},"data":1}"##,
      "{\"schema\":{\"const\":1},\"data\":\"\u{2028}\"}",
    ]
    let result = await TestTool(input: [lines.joined(separator: "\n")]).run("validate", "--batch")
    #expect(result.status == .success)
    let answers = result.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    #expect(answers.count == lines.count)
    #expect(answers[0] == #"{"valid":true,"errors":[]}"#)
    #expect(
      answers[1]
        == #"{"valid":false,"errors":[{"pointer":"","schema":"/maximum","message":"the value is 2; the schema allows at most 1"}]}"#
    )
    let codes = try answers[2...7].map { try JSON(parsing: $0)["error"]?["code"]?.stringValue ?? "" }
    #expect(
      codes == [
        "json.incomplete", "json.syntax", "cli.lineInvalid", SchemaErrorCode.keyword, SchemaErrorCode.remoteReference,
        SchemaErrorCode.budget,
      ])
    #expect(answers[8].contains("\\u2028"))
  }
}
