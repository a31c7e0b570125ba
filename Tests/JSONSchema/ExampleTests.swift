import JSON
import TestSupport
import Testing

@testable import JSONSchema

@Suite("Examples of schemas", .timeLimit(.minutes(15)), .inTurn)
struct ExampleTests {
  @Test(
    "An example is made from a schema, and meets it",
    arguments: [
      (#"{ "const": 7 }"#, "7"), (#"{ "examples": ["TS-1", "TS-2"], "default": "x" }"#, #""TS-1""#),
      (#"{ "default": "x", "enum": ["y", "x"] }"#, #""x""#), (#"{ "enum": ["y", "x"] }"#, #""y""#),
      (#"{ "type": "string" }"#, #""v-1""#), (#"{ "type": "string", "minLength": 6, "maxLength": 6 }"#, #""v-1111""#),
      (#"{ "type": "string", "maxLength": 2 }"#, #""v-""#), (#"{ "pattern": "^TS-\\d{4}$" }"#, #""TS-1111""#),
      (#"{ "type": "string", "pattern": "^[A-H](1[0-2]|[1-9])$" }"#, #""A1""#),
      (#"{ "pattern": "x+", "minLength": 3 }"#, #""x11""#),
      (#"{ "type": "string", "format": "email" }"#, #""lab@example.org""#),
      (#"{ "type": "integer", "minimum": 3 }"#, "10"),
      (#"{ "type": "number", "exclusiveMinimum": 0, "maximum": 0.5 }"#, "0.5"),
      (#"{ "multipleOf": 96 }"#, "96"), (#"{ "type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6 }"#, "5"),
      (#"{ "type": ["null", "boolean"] }"#, "true"), (#"{ "type": "null" }"#, "null"),
      (#"{ "items": { "type": "integer" }, "minItems": 2 }"#, "[1,1]"),
      (#"{ "items": { "type": "string" }, "minItems": 2, "uniqueItems": true }"#, #"["v-1","v2-1"]"#),
      (#"{ "items": { "enum": [1] }, "maxItems": 0 }"#, "[]"),
      (#"{ "prefixItems": [{ "const": 1 }, { "const": 2 }] }"#, "[1,2]"),
      (
        #"{ "properties": { "a": { "type": "integer" }, "b": true }, "required": ["b", "c"] }"#,
        #"{"a":1,"b":"b-1","c":"c-1"}"#
      ),
      (##"{ "$ref": "#/$defs/tube", "$defs": { "tube": { "const": "T" } } }"##, #""T""#),
      (#"{ "allOf": [{ "properties": { "a": { "const": 1 } } }, { "required": ["a"] }] }"#, #"{"a":1}"#),
      (#"{ "anyOf": [false, { "const": 2 }] }"#, "2"),
      (#"{ "oneOf": [{ "type": "integer" }, { "type": "string" }] }"#, "1"),
    ])
  func made(schema: String, value: String) throws {
    let schema = try JSON(parsing: schema)
    let made = try #require(SchemaExample.value(of: schema, named: "v"))
    #expect(made == (try JSON(parsing: value)), "\(made.text())")
    #expect(try JSONSchema(schema).validate(made).isValid)
  }

  @Test("The least example has only the required members")
  func least() throws {
    let schema = try JSON(parsing: #"{ "properties": { "a": true, "b": { "const": 1 } }, "required": ["b"] }"#)
    #expect(SchemaExample.value(of: schema, named: "v", isLeast: true) == ["b": 1])
  }

  @Test("A schema that refers to itself, and one that refuses everything, have an end")
  func endless() throws {
    let list = try JSON(parsing: ##"{ "properties": { "next": { "$ref": "#" } } }"##)
    #expect(SchemaExample.value(of: list, named: "v") != nil)
    let endless = try JSON(parsing: ##"{ "properties": { "next": { "$ref": "#" } }, "required": ["next"] }"##)
    #expect(SchemaExample.value(of: endless, named: "v") == nil)
    #expect(SchemaExample.value(of: false, named: "v") == nil)
    #expect(SchemaExample.value(of: ["$ref": "https://example.org/other"], named: "v") == nil)
  }
}
