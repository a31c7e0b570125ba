import JSON
import Testing

/// As much of JSON Schema 2020-12 as the schema of the language uses. A keyword that it doesn't know is an error of the
/// test, so that nothing in the schema goes unlooked at.
struct SchemaValidator {
  struct UnknownKeyword: Error, CustomStringConvertible {
    let description: String
  }

  let root: JSON
  private static let notes: Set = ["$schema", "$defs", "title", "description", "default", "examples"]

  func accepts(_ value: JSON) throws -> Bool { try accepts(value, root) }

  private func accepts(_ value: JSON, _ schema: JSON) throws -> Bool {
    if let always = schema.boolValue { return always }
    let members = try #require(schema.objectValue)
    for (keyword, rule) in members where try !holds(keyword, rule, value, members) { return false }
    return true
  }

  private func holds(_ keyword: String, _ rule: JSON, _ value: JSON, _ schema: JSONObject) throws -> Bool {
    switch keyword {
    case "$ref": return try accepts(value, try target(of: rule))
    case "const": return value == rule
    case "enum": return rule.arrayValue?.contains(value) == true
    case "type":
      let names = rule.arrayValue ?? [rule]
      return names.contains { $0.stringValue == value.kind || ($0 == "integer" && value.isWhole) }
    case "oneOf": return try (rule.arrayValue ?? []).count { try accepts(value, $0) } == 1
    case "not": return try !accepts(value, rule)
    case "if": return try !accepts(value, rule) || accepts(value, schema["then"] ?? true)
    case "then": return true
    case "pattern", "minimum", "maximum": return try holdsOfScalar(keyword, rule, value)
    case "minItems", "maxItems", "uniqueItems", "items":
      guard let values = value.arrayValue else { return true }
      return try holds(keyword, rule, of: values)
    case "required", "propertyNames", "properties", "additionalProperties":
      guard let members = value.objectValue else { return true }
      return try holds(keyword, rule, of: members, schema)
    case _ where Self.notes.contains(keyword): return true
    default: throw UnknownKeyword(description: "the schema uses \(keyword), which the test doesn't know")
    }
  }

  private func holdsOfScalar(_ keyword: String, _ rule: JSON, _ value: JSON) throws -> Bool {
    if keyword == "pattern" {
      guard let text = value.stringValue else { return true }
      var pattern = try #require(rule.stringValue)
      // In the schema's dialect $ is the very end; here it may stand before a last line break.
      if pattern.hasSuffix("$") { pattern = pattern.dropLast() + "\\z" }
      return try Regex(pattern).matchingSemantics(.unicodeScalar).firstMatch(in: text) != nil
    }
    guard let number = value.doubleValue, let limit = rule.doubleValue else { return true }
    return keyword == "minimum" ? number >= limit : number <= limit
  }

  private func holds(_ keyword: String, _ rule: JSON, of values: [JSON]) throws -> Bool {
    switch keyword {
    case "minItems": values.count >= rule.intValue ?? 0
    case "maxItems": values.count <= rule.intValue ?? .max
    case "uniqueItems": Set(values).count == values.count
    default: try values.allSatisfy { try accepts($0, rule) }
    }
  }

  private func holds(_ keyword: String, _ rule: JSON, of members: JSONObject, _ schema: JSONObject) throws -> Bool {
    switch keyword {
    case "required": return (rule.arrayValue ?? []).allSatisfy { members[$0.stringValue ?? ""] != nil }
    case "propertyNames": return try members.allSatisfy { try accepts(.string($0.name), rule) }
    case "properties":
      return try members.allSatisfy { name, value in try rule[name].map { try accepts(value, $0) } ?? true }
    default:
      return try members.allSatisfy { name, value in
        try schema["properties"]?[name] != nil || accepts(value, rule)
      }
    }
  }

  private func target(of rule: JSON) throws -> JSON {
    let name = try #require(rule.stringValue)
    #expect(name.hasPrefix("#/$defs/"))
    return try #require(root["$defs"]?[String(name.dropFirst("#/$defs/".count))], "\(name) leads nowhere")
  }

  /// Every name that the schema gives to a member somewhere.
  var names: Set<String> { Self.names(in: root) }

  private static func names(in schema: JSON) -> Set<String> {
    var found = Set(schema["properties"]?.objectValue?.keys ?? [])
    for (_, inner) in schema.objectValue ?? [:] { found.formUnion(names(in: inner)) }
    for inner in schema.arrayValue ?? [] { found.formUnion(names(in: inner)) }
    return found
  }
}

extension JSON {
  fileprivate var isWhole: Bool { doubleValue.map { $0 == $0.rounded() } ?? false }
}
