import JSON
import Runtime

/// As much of JSON Schema 2020-12 as the API's description uses. A keyword that it doesn't know is a violation, so that
/// nothing in the description goes unchecked.
struct SchemaValidator {
  let document: JSON
  private static let annotations: Set<String> = ["description", "examples", "default", "title"]

  func violations(of value: JSON, against schema: JSON, at path: String = "") -> [String] {
    guard let members = schema.objectValue else { return ["\(path): the schema is no object"] }
    return members.flatMap { keyword, argument in
      violations(of: value, keyword, argument, in: members, at: path)
    }
  }

  private func violations(
    of value: JSON, _ keyword: String, _ argument: JSON, in schema: JSONObject, at path: String
  ) -> [String] {
    func unless(_ holds: Bool, _ what: String) -> [String] { holds ? [] : ["\(path.isEmpty ? "/" : path): \(what)"] }
    switch keyword {
    case "$ref":
      return violations(of: value, against: resolve(argument.stringValue ?? ""), at: path)
    case "type":
      return unless(isOf(type: argument.stringValue ?? "", value), "\(value.kind) is no \(argument.text())")
    case "enum":
      return unless(argument.arrayValue?.contains(value) ?? false, "\(value.text()) is none of \(argument.text())")
    case "required":
      let missing = (argument.arrayValue ?? []).compactMap(\.stringValue).filter { value[$0] == nil }
      return unless(missing.isEmpty, "lacks \(missing)")
    case "properties":
      return (argument.objectValue ?? [:]).flatMap { name, schema in
        value[name].map { violations(of: $0, against: schema, at: "\(path)/\(name)") } ?? []
      }
    case "additionalProperties":
      let known = schema["properties"]?.objectValue?.keys ?? []
      let others = (value.objectValue ?? [:]).filter { !known.contains($0.name) }
      if argument == false { return unless(others.isEmpty, "has unknown \(others.map(\.name))") }
      if argument == true { return [] }
      return others.flatMap { violations(of: $0.value, against: argument, at: "\(path)/\($0.name)") }
    case "items":
      return (value.arrayValue ?? []).enumerated().flatMap { index, element in
        violations(of: element, against: argument, at: "\(path)/\(index)")
      }
    case "minimum": return unless(value.doubleValue ?? 0 >= argument.doubleValue ?? 0, "is below \(argument.text())")
    case "maximum": return unless(value.doubleValue ?? 0 <= argument.doubleValue ?? 0, "is above \(argument.text())")
    case "minLength":
      return unless(value.stringValue?.unicodeScalars.count ?? .max >= argument.intValue ?? 0, "is too short")
    case "maxLength":
      return unless(value.stringValue?.unicodeScalars.count ?? 0 <= argument.intValue ?? 0, "is too long")
    case "maxItems":
      return unless(value.arrayValue?.count ?? 0 <= argument.intValue ?? 0, "has too many elements")
    case "format":
      return unless(hasFormat(argument.stringValue ?? "", value.stringValue ?? ""), "is no \(argument.text())")
    case "pattern":
      let regex = try? Regex(argument.stringValue ?? "")
      return unless(regex.map { value.stringValue?.firstMatch(of: $0) != nil } ?? false, "doesn't match")
    default:
      return unless(Self.annotations.contains(keyword), "the schema's keyword \(keyword) is not checked")
    }
  }

  /// What a reference inside the document names.
  func resolve(_ reference: String) -> JSON {
    reference.split(separator: "/").dropFirst().reduce(document) { $0[String($1)] ?? .null }
  }

  private func isOf(type: String, _ value: JSON) -> Bool {
    switch type {
    case "integer": value.intValue != nil
    default: value.kind == type
    }
  }

  private func hasFormat(_ format: String, _ text: String) -> Bool {
    switch format {
    case "date-time": Timestamp(text) != nil
    case "uuid": UniqueID(text) != nil
    case "uri-reference": !text.isEmpty && !text.contains(" ")
    default: false
    }
  }
}
