import JSON
import Values

/// Implements the part of JSON Schema 2020-12 that the project's schemas use. An unknown keyword is an error, so that
/// no part of a schema is ignored.
public struct SchemaValidator: Sendable {
  /// The schema can't be used: the test is wrong, or this validator has something to learn.
  public struct Unusable: Error, CustomStringConvertible {
    public let description: String
  }

  /// The document of the references: a schema, or a larger document with schemas in it.
  public let document: JSON
  private static let notes: Set = ["$schema", "$defs", "title", "description", "default", "examples", "deprecated"]

  /// Whether the check stops at the first violation, because its text is not used.
  private var stopsAtFirst = false

  public init(document: JSON) { self.document = document }

  /// Whether the document, taken as a schema, accepts a value.
  public func accepts(_ value: JSON) throws -> Bool {
    var quick = self
    quick.stopsAtFirst = true
    return try quick.check(value, document, "").isEmpty
  }

  /// Returns the violations of a schema by a value, each with its place. A schema that can't be used is a violation.
  /// - Parameter schema: the document itself when nil.
  public func violations(of value: JSON, against schema: JSON? = nil) -> [String] {
    do {
      return try check(value, schema ?? document, "")
    } catch {
      return ["\(error)"]
    }
  }

  /// Returns the value that a reference inside the document names; null when there is none.
  public func resolve(_ reference: String) -> JSON {
    guard reference.hasPrefix("#/") else { return .null }
    return reference.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false).reduce(document) {
      let name = $1.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
      return $0[name.split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")] ?? .null
    }
  }

  /// Every name that the document gives to a member somewhere.
  public var memberNames: Set<String> { Self.memberNames(in: document) }

  private static func memberNames(in schema: JSON) -> Set<String> {
    var found = Set(schema["properties"]?.objectValue?.keys ?? [])
    for (_, inner) in schema.objectValue ?? [:] { found.formUnion(memberNames(in: inner)) }
    for inner in schema.arrayValue ?? [] { found.formUnion(memberNames(in: inner)) }
    return found
  }

  // MARK: Keywords

  private func check(_ value: JSON, _ schema: JSON, _ path: String) throws -> [String] {
    if let always = schema.boolValue { return always ? [] : ["\(Self.shown(path)): nothing is allowed here"] }
    guard let members = schema.objectValue else { throw Unusable(description: "\(path): the schema is no object") }
    return try all(members) { keyword, argument in try check(value, keyword, argument, in: members, path) }
  }

  private func check(
    _ value: JSON, _ keyword: String, _ argument: JSON, in schema: JSONObject, _ path: String
  ) throws -> [String] {
    switch keyword {
    case _ where Self.notes.contains(keyword): return []
    case "$ref": return try check(value, target(of: argument), path)
    case "const": return unless(value == argument, path, "\(value.text()) is not \(argument.text())")
    case "enum":
      return unless(
        argument.arrayValue?.contains(value) == true, path, "\(value.text()) is none of \(argument.text())")
    case "type":
      let names = (argument.arrayValue ?? [argument]).compactMap(\.stringValue)
      return unless(names.contains { Self.isOf($0, value) }, path, "\(value.kind) is no \(argument.text())")
    case "allOf": return try all(argument.arrayValue ?? []) { try check(value, $0, path) }
    case "anyOf", "oneOf", "not", "if", "then": return try checkInPlace(value, keyword, argument, in: schema, path)
    case "minimum", "maximum", "minLength", "maxLength", "format", "pattern":
      return try checkScalar(value, keyword, argument, path)
    case "minProperties":
      return unless(
        value.objectValue.map { $0.count >= argument.intValue ?? 0 } ?? true, path, "has too few members")
    case "maxProperties":
      return unless(
        value.objectValue.map { $0.count <= argument.intValue ?? .max } ?? true, path, "has too many members")
    case "minItems", "maxItems", "uniqueItems", "items":
      guard let values = value.arrayValue else { return [] }
      return try checkElements(values, keyword, argument, path)
    case "required", "properties", "additionalProperties", "propertyNames":
      guard let members = value.objectValue else { return [] }
      return try checkMembers(members, keyword, argument, in: schema, path)
    default: throw Unusable(description: "the schema uses \(keyword), which the validator doesn't know")
    }
  }

  /// Checks the keywords that apply whole schemas to the same value.
  private func checkInPlace(
    _ value: JSON, _ keyword: String, _ argument: JSON, in schema: JSONObject, _ path: String
  ) throws -> [String] {
    switch keyword {
    case "anyOf", "oneOf":
      let findings = try (argument.arrayValue ?? []).map { try check(value, $0, path) }
      let count = findings.count(where: \.isEmpty)
      if keyword == "oneOf" ? count == 1 : count > 0 { return [] }
      let why = findings.filter { !$0.isEmpty }.map { $0.joined(separator: ", ") }.joined(separator: " | ")
      return ["\(Self.shown(path)): is \(count) of the \(keyword): \(why)"]
    case "not": return unless(try !check(value, argument, path).isEmpty, path, "is what it may not be")
    case "if":
      guard schema["else"] == nil else { throw Unusable(description: "the validator doesn't know else") }
      return try check(value, argument, path).isEmpty ? try check(value, schema["then"] ?? true, path) : []
    default: return []  // `then` is looked at with its `if`.
    }
  }

  private func checkScalar(_ value: JSON, _ keyword: String, _ argument: JSON, _ path: String) throws -> [String] {
    switch keyword {
    case "minimum", "maximum":
      guard let limit = argument.numberValue else { throw Unusable(description: "\(keyword) is no number") }
      guard let number = value.numberValue else { return [] }
      return unless(
        keyword == "minimum" ? number >= limit : number <= limit, path, "is beyond \(keyword) \(limit.text)")
    case "minLength", "maxLength":
      guard let limit = argument.intValue else { throw Unusable(description: "\(keyword) is no integer") }
      guard let length = value.stringValue?.unicodeScalars.count else { return [] }
      return unless(keyword == "minLength" ? length >= limit : length <= limit, path, "is beyond \(keyword) \(limit)")
    default:
      guard let rule = argument.stringValue else { throw Unusable(description: "\(keyword) is no text") }
      guard let text = value.stringValue else { return [] }
      let holds = try keyword == "format" ? Self.hasFormat(rule, text) : Self.matches(rule, text)
      return unless(holds, path, "doesn't hold \(keyword) \(rule)")
    }
  }

  private func checkElements(_ values: [JSON], _ keyword: String, _ argument: JSON, _ path: String) throws -> [String] {
    switch keyword {
    case "minItems": unless(values.count >= argument.intValue ?? 0, path, "has too few elements")
    case "maxItems": unless(values.count <= argument.intValue ?? .max, path, "has too many elements")
    case "uniqueItems": unless(argument != true || Set(values).count == values.count, path, "has an element twice")
    default: try all(values.enumerated()) { try check($1, argument, "\(path)/\($0)") }
    }
  }

  private func checkMembers(
    _ members: JSONObject, _ keyword: String, _ argument: JSON, in schema: JSONObject, _ path: String
  ) throws -> [String] {
    switch keyword {
    case "required":
      let missing = (argument.arrayValue ?? []).compactMap(\.stringValue).filter { members[$0] == nil }
      return unless(missing.isEmpty, path, "lacks \(missing)")
    case "propertyNames": return try all(members) { try check(.string($0.name), argument, "\(path)/\($0.name)") }
    case "properties":
      return try all(members) { name, value in
        try argument[name].map { try check(value, $0, "\(path)/\(name)") } ?? []
      }
    default:
      let others = members.filter { schema["properties"]?[$0.name] == nil }
      if argument == false { return unless(others.isEmpty, path, "has unknown \(others.map(\.name))") }
      return try all(others) { try check($0.value, argument, "\(path)/\($0.name)") }
    }
  }

  // MARK: Help

  private func all<Parts: Sequence>(_ parts: Parts, _ check: (Parts.Element) throws -> [String]) rethrows -> [String] {
    var found: [String] = []
    for part in parts {
      found += try check(part)
      if stopsAtFirst, !found.isEmpty { break }
    }
    return found
  }

  private func target(of reference: JSON) throws -> JSON {
    let target = resolve(reference.stringValue ?? "")
    guard target != .null else { throw Unusable(description: "\(reference.text()) leads nowhere") }
    return target
  }

  private func unless(_ holds: Bool, _ path: String, _ what: @autoclosure () -> String) -> [String] {
    holds ? [] : [stopsAtFirst ? "" : "\(Self.shown(path)): \(what())"]
  }

  private static func shown(_ path: String) -> String { path.isEmpty ? "/" : path }

  private static func isOf(_ type: String, _ value: JSON) -> Bool {
    type == "integer" ? value.doubleValue.map { $0 == $0.rounded() } ?? false : value.kind == type
  }

  private static func hasFormat(_ format: String, _ text: String) throws -> Bool {
    switch format {
    // Says how large a number may become.
    case "int64": true
    case "date-time": Timestamp(text) != nil
    case "uuid": UniqueID(text) != nil
    case "uri-reference": !text.isEmpty && !text.contains(" ")
    default: throw Unusable(description: "the validator doesn't know the format \(format)")
    }
  }

  private static func matches(_ pattern: String, _ text: String) throws -> Bool {
    // In the schema's dialect $ is the very end; here it also matches before a last line break.
    let pattern = pattern.hasSuffix("$") ? pattern.dropLast() + "\\z" : pattern
    return try Regex(pattern).matchingSemantics(.unicodeScalar).firstMatch(in: text) != nil
  }
}
