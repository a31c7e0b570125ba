import JSON
import JSONSchema
import TestSupport
import Testing

/// A few values for each keyword. The official suite has many more.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct KeywordTests {
  struct Case: Sendable, CustomStringConvertible {
    let schema: String
    let valid: [String]
    let invalid: [String]
    var description: String { schema }

    init(_ schema: String, valid: [String] = [], invalid: [String] = []) {
      self.schema = schema
      self.valid = valid
      self.invalid = invalid
    }
  }

  static let cases = [
    Case("true", valid: ["1", "null"]), Case("false", invalid: ["1", "null", "{}"]),
    Case(#"{"type": "integer"}"#, valid: ["1", "1.0", "1e308"], invalid: ["1.5", "\"1\"", "true"]),
    Case(#"{"type": ["string", "null"]}"#, valid: ["\"\"", "null"], invalid: ["0", "false"]),
    Case(#"{"const": {"a": [1.0]}}"#, valid: [#"{"a": [1]}"#], invalid: [#"{"a": [true]}"#, #"{"a": [1], "b": 1}"#]),
    Case(
      #"{"enum": ["é", 0, [false]]}"#, valid: ["\"é\"", "0.0", "[false]"],
      invalid: ["\"e\u{301}\"", "false", "[0]"]),
    Case(#"{"multipleOf": 0.01}"#, valid: ["4.35", "0", "1e300", "-0.07"], invalid: ["0.075", "1e-3"]),
    Case(#"{"multipleOf": 3}"#, valid: ["9007199254740993", "0.3e1"], invalid: ["9007199254740994", "1e300"]),
    Case(#"{"multipleOf": 1.0000000000000000000000001}"#, valid: ["2.0000000000000000000000002"], invalid: ["2"]),
    Case(#"{"maximum": 9007199254740993}"#, valid: ["9007199254740993"], invalid: ["9007199254740994"]),
    Case(#"{"exclusiveMaximum": 0.1}"#, valid: ["0.09999999999999999999"], invalid: ["0.1", "0.10"]),
    Case(#"{"minimum": 0.3}"#, valid: ["0.3", "0.30000000000000000001"], invalid: ["0.29999999999999999999"]),
    Case(#"{"exclusiveMinimum": -1}"#, valid: ["-0.5", "\"a\""], invalid: ["-1", "-1.0"]),
    Case(
      #"{"minLength": 2, "maxLength": 2.0}"#, valid: ["\"🧬🧬\"", "\"e\u{301}\"", "1"],
      invalid: ["\"🧬\"", "\"abc\""]),
    Case(#"{"pattern": "\\d-\\w"}"#, valid: ["\"x 1-a x\"", "1"], invalid: ["\"1 a\""]),
    Case(#"{"minItems": 1, "maxItems": 2}"#, valid: ["[1]", "{}"], invalid: ["[]", "[1, 2, 3]"]),
    Case(
      #"{"uniqueItems": true}"#, valid: [#"[1, "1", true, [1], {"a": 1}]"#],
      invalid: ["[1, 1.0]", #"[{"a": 1, "b": 2}, {"b": 2.0, "a": 1}]"#]),
    Case(
      #"{"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}"#, valid: [#"["a", 1]"#, "[]"],
      invalid: ["[1]", #"["a", "b"]"#]),
    Case(
      #"{"contains": {"type": "string"}, "minContains": 2, "maxContains": 3}"#, valid: [#"["a", 1, "b"]"#, "1"],
      invalid: [#"["a"]"#, #"["a", "b", "c", "d"]"#]),
    Case(#"{"contains": {"type": "string"}, "minContains": 0}"#, valid: ["[]"]),
    Case(
      #"{"properties": {"a": {"type": "string"}}, "patternProperties": {"^x": true}, "additionalProperties": false}"#,
      valid: [#"{"a": "", "xa": 1}"#], invalid: [#"{"a": 1}"#, #"{"b": 1}"#]),
    Case(
      #"{"required": ["a", "é"]}"#, valid: [#"{"a": 1, "é": null}"#, "[]"],
      invalid: ["{\"a\": 1, \"e\u{301}\": null}"]),
    Case(#"{"propertyNames": {"maxLength": 1}}"#, valid: [#"{"a": 1}"#], invalid: [#"{"ab": 1}"#]),
    Case(#"{"minProperties": 1, "maxProperties": 1}"#, valid: [#"{"a": 1}"#], invalid: ["{}", #"{"a": 1, "b": 1}"#]),
    Case(#"{"dependentRequired": {"a": ["b"]}}"#, valid: [#"{"b": 1}"#], invalid: [#"{"a": 1}"#]),
    Case(
      #"{"dependentSchemas": {"a": {"required": ["b"]}}}"#, valid: [#"{"a": 1, "b": 1}"#, "{}"],
      invalid: [#"{"a": 1}"#]),
    Case(#"{"allOf": [{"minimum": 1}, {"maximum": 2}]}"#, valid: ["1.5"], invalid: ["0", "3"]),
    Case(#"{"anyOf": [{"minimum": 2}, {"maximum": 1}]}"#, valid: ["0", "3"], invalid: ["1.5"]),
    Case(#"{"oneOf": [{"minimum": 1}, {"maximum": 2}]}"#, valid: ["0", "3"], invalid: ["1.5"]),
    Case(#"{"not": {"type": "null"}}"#, valid: ["1"], invalid: ["null"]),
    Case(
      #"{"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"type": "null"}}"#, valid: ["\"a\"", "null"],
      invalid: ["\"\"", "1"]),
    Case(
      #"{"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false}"#, valid: [#"{"a": 1}"#],
      invalid: [#"{"b": 1}"#]),
    Case(
      #"{"anyOf": [{"prefixItems": [{"const": 1}]}, true], "unevaluatedItems": {"type": "string"}}"#,
      valid: [#"[1, "a"]"#, #"["b"]"#], invalid: ["[2]", "[1, 2]"]),
    Case(#"{"format": "date-time", "contentEncoding": "base64"}"#, valid: ["\"x\""]),
  ]

  @Test("a keyword accepts and refuses", arguments: cases)
  func keyword(_ one: Case) throws {
    let schema = try JSONSchema(try JSON(parsing: one.schema))
    for (texts, expected) in [(one.valid, true), (one.invalid, false)] {
      for text in texts {
        let value = try JSON(parsing: text)
        let verdict = try schema.validate(value)
        #expect(verdict.isValid == expected, "\(text): \(verdict.violations)")
        #expect(verdict.violations.isEmpty == expected, "\(text)")
        #expect(try schema.accepts(value) == expected, "\(text)")
      }
    }
  }

  @Test("the schema itself may be checked by the metaschema")
  func metaschema() throws {
    let schema = try JSONSchema(["$ref": "https://json-schema.org/draft/2020-12/schema"])
    #expect(try schema.accepts(["minLength": 1, "properties": ["a": true]]))
    let verdict = try schema.validate(["properties": ["a": ["minLength": -1]], "type": "text"])
    #expect(verdict.violations.contains { $0.instance.description == "/properties/a/minLength" })
    #expect(
      verdict.violations.contains {
        $0.keyword == "https://json-schema.org/draft/2020-12/meta/validation#/$defs/nonNegativeInteger/minimum"
      })
  }

  @Test("a dynamic reference leads to the outermost anchor of its name")
  func dynamicReference() throws {
    let schema = try JSONSchema(
      try JSON(
        parsing: """
          {"$id": "https://lab/list", "$ref": "tree", "$dynamicAnchor": "node",
           "properties": {"label": {"type": "string"}}, "unevaluatedProperties": false,
           "$defs": {"tree": {"$id": "tree", "$dynamicAnchor": "node",
             "properties": {"parts": {"type": "array", "items": {"$dynamicRef": "#node"}}}}}}
          """))
    #expect(try schema.accepts(["label": "a", "parts": [["label": "b", "parts": []]]]))
    #expect(try !schema.accepts(["parts": [["label": 1]]]))
    #expect(try !schema.accepts(["parts": [["labell": "b"]]]))
  }
}
