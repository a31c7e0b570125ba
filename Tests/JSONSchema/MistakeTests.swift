import JSON
import JSONSchema
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct MistakeTests {
  struct Case: Sendable, CustomStringConvertible {
    let schema: String
    let code: String
    let pointer: String
    let says: String
    let near: String?
    let isError: Bool
    var description: String { schema }

    init(_ schema: String, _ code: String, _ pointer: String, _ says: String, near: String? = nil, isError: Bool = true)
    {
      self.schema = schema
      self.code = code
      self.pointer = pointer
      self.says = says
      self.near = near
      self.isError = isError
    }
  }

  static let cases = [
    Case("[]", SchemaErrorCode.keyword, "", "a schema is an object, true or false, not an array"),
    Case(#"{"type": "text"}"#, SchemaErrorCode.keyword, "/type", "\"type\" is one of", near: "text"),
    Case(#"{"type": "strin"}"#, SchemaErrorCode.keyword, "/type", "\"type\" is one of", near: "string"),
    Case(#"{"type": []}"#, SchemaErrorCode.keyword, "/type", "empty"),
    Case(#"{"minimum": "5"}"#, SchemaErrorCode.keyword, "/minimum", "\"minimum\" is a number, not a string"),
    Case(#"{"exclusiveMaximum": true}"#, SchemaErrorCode.keyword, "/exclusiveMaximum", "is a number"),
    Case(#"{"multipleOf": 0}"#, SchemaErrorCode.keyword, "/multipleOf", "greater than 0"),
    Case(#"{"minLength": -1}"#, SchemaErrorCode.keyword, "/minLength", "a whole number from 0, not -1"),
    Case(#"{"maxItems": 1.5}"#, SchemaErrorCode.keyword, "/maxItems", "a whole number from 0"),
    Case(#"{"required": true}"#, SchemaErrorCode.keyword, "/required", "a list of names, not true"),
    Case(#"{"dependentRequired": {"a": "b"}}"#, SchemaErrorCode.keyword, "/dependentRequired/a", "a list of names"),
    Case(#"{"enum": "a"}"#, SchemaErrorCode.keyword, "/enum", "a list of values"),
    Case(#"{"uniqueItems": 1}"#, SchemaErrorCode.keyword, "/uniqueItems", "true or false"),
    Case(#"{"items": [{}]}"#, SchemaErrorCode.keyword, "/items", "prefixItems", near: "prefixItems"),
    Case(#"{"anyOf": []}"#, SchemaErrorCode.keyword, "/anyOf", "at least one schema"),
    Case(#"{"properties": {"a": 1}}"#, SchemaErrorCode.keyword, "/properties/a", "a schema is an object"),
    Case(#"{"properties": []}"#, SchemaErrorCode.keyword, "/properties", "an object of schemas"),
    Case(#"{"$anchor": "1a"}"#, SchemaErrorCode.keyword, "/$anchor", "begins with"),
    Case(#"{"$id": "a#b"}"#, SchemaErrorCode.keyword, "/$id", "fragment"),
    Case(
      #"{"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}"#, SchemaErrorCode.keyword, "/$defs/b/$anchor",
      "two parts"),
    Case(#"{"title": 1}"#, SchemaErrorCode.keyword, "/title", "a string"),
    Case(
      ##"{"properties": {"a": {"$ref": "#/$defs/volme"}}, "$defs": {"volume": {}}}"##, SchemaErrorCode.reference,
      "/properties/a/$ref", "leads to nothing: there is no \"volme\"", near: "volume"),
    Case(##"{"$ref": "#nowhere"}"##, SchemaErrorCode.reference, "/$ref", "no part of the schema has this anchor"),
    Case(##"{"$ref": "#"}"##, SchemaErrorCode.reference, "", "refers back to itself"),
    Case(
      ##"{"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#"}]}}}"##, SchemaErrorCode.reference,
      "/$defs/a/allOf/0",
      "refers back to itself"),
    Case(
      #"{"$ref": "https://example.com/x.json"}"#, SchemaErrorCode.remoteReference, "/$ref",
      "leads out of this schema, to https://example.com/x.json"),
    Case(#"{"items": {"$ref": "other.json#/a"}}"#, SchemaErrorCode.remoteReference, "/items/$ref", "other.json"),
    Case(#"{"pattern": "(a"}"#, SchemaErrorCode.pattern, "/pattern", "never closed"),
    Case(#"{"patternProperties": {"[": {}}}"#, SchemaErrorCode.pattern, "/patternProperties/[", "never closed"),
    Case(#"{"pattern": "^(?!x)"}"#, SchemaErrorCode.unsupported, "/pattern", "look-ahead"),
    Case(#"{"pattern": "(a)\\1"}"#, SchemaErrorCode.unsupported, "/pattern", "back reference"),
    Case(
      #"{"$schema": "http://json-schema.org/draft-07/schema#"}"#, SchemaErrorCode.dialect, "/$schema",
      "another draft"),
    Case(#"{"$schema": "https://lab/schema"}"#, SchemaErrorCode.dialect, "/$schema", "is not known"),
    Case(
      #"{"properties": {"a": {"minLenght": 1}}}"#, SchemaErrorCode.misspelt, "/properties/a/minLenght",
      "is not a keyword", near: "minLength", isError: false),
    Case(#"{"Required": ["a"]}"#, SchemaErrorCode.misspelt, "/Required", "", near: "required", isError: false),
    Case(
      #"{"additionalItems": false}"#, SchemaErrorCode.misspelt, "/additionalItems", "", near: "items", isError: false),
    Case(
      #"{"properties": {"a": {"min": 1}}}"#, SchemaErrorCode.misspelt, "/properties/a/min", "is not a keyword",
      near: "minimum", isError: false),
    Case(#"{"nullable": true}"#, SchemaErrorCode.misspelt, "/nullable", "", near: "type", isError: false),
    Case(
      #"{"barcode": "string"}"#, SchemaErrorCode.misspelt, "/barcode", "into \"properties\"", near: "properties",
      isError: false),
    Case(
      #"{"items": {"tube": {"type": "string"}}}"#, SchemaErrorCode.misspelt, "/items/tube", "it refuses nothing",
      near: "properties", isError: false),
    Case(
      #"{"required": ["barcod"], "properties": {"barcode": {}}}"#, SchemaErrorCode.misspelt, "/required",
      "\"required\" has \"barcod\", and \"properties\" does not", near: "barcode", isError: false),
    Case(
      #"{"required": ["lot"], "properties": {"barcode": {}}, "additionalProperties": false}"#,
      SchemaErrorCode.misspelt, "/required", "no value meets this schema", isError: false),
    Case(#"{"example": 1}"#, SchemaErrorCode.misspelt, "/example", "", near: "examples", isError: false),
  ]

  @Test("a mistake is found with its place", arguments: cases)
  func mistake(_ one: Case) throws {
    let result = JSONSchema.compile(try JSON(parsing: one.schema))
    #expect(result.findings.count == 1, "\(result.findings)")
    let finding = try #require(result.findings.first)
    #expect(finding.code == one.code)
    #expect(finding.pointer.description == one.pointer)
    #expect(finding.message.contains(one.says), "\(finding.message)")
    #expect(finding.isError == one.isError)
    if one.near != "text" { #expect(finding.nearName == one.near) }
    #expect((result.schema == nil) == one.isError)
  }

  @Test(
    "a member that resembles no keyword is an annotation",
    arguments: ["x-minlength", "unit", "note", "labels", "owner"])
  func annotation(_ name: String) {
    #expect(JSONSchema.compile([name: 1]).findings.isEmpty)
  }

  @Test("a correct schema gives no finding")
  func clean() throws {
    let schema = """
      {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://lab/sample", "title": "t",
       "description": "d", "default": {}, "examples": [], "deprecated": false, "readOnly": false, "$comment": "c",
       "properties": {"not": {"type": "string", "format": "date-time"}, "a": {"$ref": "#/definitions/b"}},
       "required": ["a", "tube"], "definitions": {"b": {"if": true, "then": {}, "else": false}}}
      """
    #expect(JSONSchema.compile(try JSON(parsing: schema)).findings == [])
  }

  @Test("all mistakes of a schema are found at once, and at most 100 are kept")
  func many() {
    let schema: JSON = ["allOf": .array((0..<150).map { _ in ["minimum": "a", "title": 1] })]
    let result = JSONSchema.compile(schema)
    #expect(result.findings.count == 100)
    #expect(result.omitted == 200)
  }
}
