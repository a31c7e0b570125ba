import JSON
import JSONSchema
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ViolationTests {
  private static func violations(_ schema: String, _ value: String) throws -> [String] {
    try JSONSchema(JSON(parsing: schema)).validate(JSON(parsing: value)).violations.map {
      "\($0.instance) \($0.keyword) \($0.message)"
    }
  }

  @Test("all violations are reported at once, each with its places and a sentence")
  func all() throws {
    let schema = """
      {"type": "object", "required": ["barcode", "volumeUl"], "additionalProperties": false,
       "properties": {
         "barcode": {"type": "string", "minLength": 3}, "volumeUl": {"$ref": "#/$defs/volume"},
         "priority": {"enum": ["routine", "urgent"]}, "rack": {"const": 1}, "when": {"type": ["string", "null"]},
         "tubes": {"type": "array", "maxItems": 1, "uniqueItems": true, "items": {"multipleOf": 0.5}},
         "name": {"pattern": "^[A-Z]"}, "both": {"not": {"type": "string"}}},
       "$defs": {"volume": {"type": "integer", "maximum": 1000}}}
      """
    let value = """
      {"barcode": "T", "volumeUl": 1200.5, "priority": "high", "rack": 2, "when": true, "tubes": [1.2, 1.20],
       "name": "x", "both": "s", "volumeul": 1}
      """
    #expect(
      try Self.violations(schema, value) == [
        "/barcode /properties/barcode/minLength barcode has 1 character; the schema asks for at least 3",
        "/volumeUl /$defs/volume/type volumeUl is 1200.5; the schema allows only a whole number",
        "/volumeUl /$defs/volume/maximum volumeUl is 1200.5; the schema allows at most 1000",
        #"/priority /properties/priority/enum priority is "high"; the schema allows only "routine" or "urgent""#,
        "/rack /properties/rack/const rack is 2; the schema allows only 1",
        "/when /properties/when/type when is true; the schema allows only a string or null",
        "/tubes /properties/tubes/maxItems tubes has 2 elements; the schema allows at most 1",
        "/tubes /properties/tubes/uniqueItems tubes has equal elements at 0 and 1; the schema allows each element once",
        "/tubes/0 /properties/tubes/items/multipleOf element 0 of tubes is 1.2; the schema allows only multiples of 0.5",
        "/tubes/1 /properties/tubes/items/multipleOf element 1 of tubes is 1.20; the schema allows only multiples of 0.5",
        #"/name /properties/name/pattern name is "x"; the schema allows only text that matches ^[A-Z]"#,
        "/both /properties/both/not both is what the schema excludes",
        "/volumeul /additionalProperties volumeul is not allowed; the schema has no such member, but volumeUl",
      ])
    #expect(
      try Self.violations(schema, #"{"rack": 1}"#) == [
        " /required barcode is missing; the schema requires it",
        " /required volumeUl is missing; the schema requires it",
      ])
    #expect(
      try Self.violations(schema, #""text""#) == [" /type the value is a string; the schema allows only an object"])
  }

  @Test("a failed choice reports the alternative that was probably meant")
  func choice() throws {
    let schema = """
      {"oneOf": [
        {"type": "object", "required": ["plate"], "properties": {"plate": {"type": "string"}}},
        {"type": "array", "items": {"type": "string"}}]}
      """
    #expect(
      try Self.violations(schema, #"{"plate": 7}"#) == [
        " /oneOf the value meets none of the 2 alternatives of the schema",
        "/plate /oneOf/0/properties/plate/type plate is 7; the schema allows only a string",
      ])
    #expect(
      try Self.violations(#"{"oneOf": [{"minimum": 1}, {"maximum": 9}]}"#, "5") == [
        " /oneOf the value meets the alternatives 1 and 2 of the schema; it must meet exactly one"
      ])
  }

  @Test("names of members are checked as names")
  func names() throws {
    #expect(
      try Self.violations(#"{"properties": {"a": {"propertyNames": {"pattern": "^[a-z]+$"}}}}"#, #"{"a": {"B1": 0}}"#)
        == [
          #"/a/B1 /properties/a/propertyNames/pattern the name "B1" is "B1"; the schema allows only text that matches "#
            + "^[a-z]+$"
        ])
  }

  @Test("at most 100 violations are listed, and the others are counted")
  func most() throws {
    let schema = try JSONSchema(["items": ["type": "string"]])
    let verdict = try schema.validate(.array((0..<250).map { .int($0) }))
    #expect(verdict.violations.count == 100)
    #expect(verdict.omitted == 150)
  }

  @Test("a message contains no long text of the value")
  func long() throws {
    let text = String(repeating: "é", count: 100_000)
    for schema in [#"{"const": 1}"#, #"{"pattern": "a"}"#, #"{"maxLength": 1}"#, #"{"type": "null"}"#] {
      for violation in try JSONSchema(JSON(parsing: schema)).validate(.string(text)).violations {
        #expect(violation.message.utf8.count < 400)
      }
    }
  }
}
