import JSON
import TestSupport
import Values

/// Makes values for a schema: most of them ones that it allows, at its bounds where it has some, and others that are
/// near. Whether a value is allowed the validator says, not the sampler.
struct SchemaSampler {
  var random: SeededRandom
  let validator: SchemaValidator

  mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

  /// Texts that some schema allows and others don't.
  static let texts =
    [
      "", " ", "\t", "\u{85}", "\u{2003}", "\u{FEFF}", "a", "é", "🧪", "create", "approve", "store", "approval", "none",
      "a b", "a,b", "*", "a*", "*a", "a*b", "http.*", "null", "true", "false", "0", "1", "-1", "1.5", "1e2",
      "0s", "1s", "60s", "61s", "060s", "1m", "2m", "60m", "61m", "1h", "2h", "500ms", "60000ms", "60001ms", "PT2H",
      "PT1M",
      "PT60S", "PT61S", "P1W", "P2W3D", "P", "PT", "P1Y", "pt2h", "1.5h", "-1s", "1 h", "7d", "36500d", "99999999999d",
      "2026-03-01T08:15:30Z", "2026-03-01T08:15:30.250+01:00", "2026-03-01", "2026-02-30T00:00:00Z", "now",
      "019c8a5e-7b1c-7d2e-8f3a-0123456789ab", "7b2f2f3e-2a0c-4f1e-9c3b-0123456789ab",
      "019c8a5e7b1c7d2e8f3a0123456789ab",
      "AAAA", "AA=A", "5.12", "63.1-0.2", "64.1", "5.", "5.99999999999999999999", "key-1", "a\u{7F}b", "running",
      "stuck",
      "happened", "undone", "didNotHappen", "rest", "CLI", "pager", "-----BEGIN PUBLIC KEY-----",
      "-startedAt", "patient:P-17", "a:b:c", "patient:", ":x", "1:x", "finished", "done", "4f1d0c9b2a7e6d35",
    ]
    + [40, 41, 100, 101, 200, 201, 255, 256, 1_000, 1_001, 2_000, 2_001].map { String(repeating: "x", count: $0) }

  private static let values: [JSON] = [
    .null, true, false, 0, 1, -1, 1.5, 63, 64, 1_000, 1_001, 9_223_372_036_854_775_807, [], [:], [[]], ["a": 1], "x",
  ]

  mutating func value(_ schema: JSON, depth: Int = 0) -> JSON {
    // Anywhere something else may come.
    if below(24) == 0 { return below(2) == 0 ? pick(Self.values) : .string(pick(Self.texts)) }
    if let reference = schema["$ref"]?.stringValue { return value(validator.resolve(reference), depth: depth) }
    if let choices = schema["enum"]?.arrayValue { return pick(choices) }
    if let kinds = schema["anyOf"]?.arrayValue { return value(pick(kinds), depth: depth) }
    switch schema["type"]?.stringValue {
    case "string": return .string(text(schema))
    case "integer": return .number(JSONNumber(integer(schema)))
    case "number": return pick([0.01, 0.005, 1, 10.5, 1_000, 1_000.5, -1])
    case "boolean": return .bool(below(2) == 0)
    case "array":
      let limit = schema["maxItems"]?.intValue ?? 3
      let count = pick([0, 1, 2, limit < 100 ? limit : 2, limit < 100 ? limit + 1 : 3])
      return .array((0..<count).map { _ in value(schema["items"] ?? true, depth: depth + 1) })
    case "object": return object(schema, depth: depth)
    default: return pick(Self.values)
    }
  }

  private mutating func object(_ schema: JSON, depth: Int) -> JSON {
    var members: JSONObject = [:]
    let required = Set((schema["required"]?.arrayValue ?? []).compactMap(\.stringValue))
    for (name, inner) in schema["properties"]?.objectValue ?? [:] {
      let isIn = required.contains(name) ? below(12) > 0 : below(3) == 0
      if isIn { members[name] = value(inner, depth: depth + 1) }
    }
    if below(16) == 0 { members[pick(["x", "", "reasons", "Step"])] = pick(Self.values) }
    return .object(members)
  }

  /// Texts that a schema allows, by its own text: patterns are slow to match.
  private var allowedTexts: [String: [String]] = [:]

  init(random: SeededRandom, validator: SchemaValidator) {
    self.random = random
    self.validator = validator
  }

  private mutating func text(_ schema: JSON) -> String {
    let key = schema.text()
    let known = allowedTexts[key]
    let allowed = known ?? Self.texts.filter { validator.violations(of: .string($0), against: schema).isEmpty }
    if known == nil { allowedTexts[key] = allowed }
    return pick(allowed.isEmpty ? Self.texts : allowed)
  }

  private mutating func integer(_ schema: JSON) -> Int {
    let least = schema["minimum"]?.intValue ?? 0
    let most = schema["maximum"]?.intValue ?? 1_000
    return pick([least, least + 1, most, least == .min ? least : least - 1, most == .max ? most : most + 1, 7])
  }
}
