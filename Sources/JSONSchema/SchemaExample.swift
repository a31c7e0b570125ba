import JSON
import Patterns

/// Makes a value that a schema describes, for a rehearsal of what takes such values.
///
/// It follows `const`, `examples`, `default`, `enum`, types, limits, patterns and references inside the schema. It does
/// not solve every schema: the caller validates the value.
package struct SchemaExample {
  private let root: JSON
  /// Whether objects have only the members that the schema requires.
  private let isLeast: Bool
  private var made = 0

  /// The most schemas that are visited, and the deepest nesting.
  private static let most = 5_000
  private static let deepest = 24
  /// The most elements and characters that a made value gets because a schema wants them.
  private static let longest = 1_000

  /// - Parameter isLeast: whether objects have only the members that the schema requires.
  /// - Returns: nil when no value could be made.
  package static func value(of schema: JSON, named name: String, isLeast: Bool = false) -> JSON? {
    var example = SchemaExample(root: schema, isLeast: isLeast)
    return example.value(of: schema, named: name, depth: 0)
  }

  private init(root: JSON, isLeast: Bool) {
    self.root = root
    self.isLeast = isLeast
  }

  private mutating func value(of schema: JSON, named name: String, depth: Int) -> JSON? {
    made += 1
    guard made <= Self.most, depth <= Self.deepest else { return nil }
    guard case .object(let members) = schema else { return schema == false ? nil : .string("\(name)-1") }
    if let const = members["const"] { return const }
    if let example = members["examples"]?.arrayValue?.first { return example }
    if let value = members["default"] { return value }
    if let word = members["enum"]?.arrayValue?.first { return word }
    if let reference = members["$ref"]?.stringValue {
      return referenced(reference).flatMap { value(of: $0, named: name, depth: depth + 1) }
    }
    if let parts = members["allOf"]?.arrayValue {
      return value(of: Self.merged([without("allOf", members)] + parts), named: name, depth: depth + 1)
    }
    for word in ["anyOf", "oneOf"] {
      guard let parts = members[word]?.arrayValue else { continue }
      for part in parts where part != false {
        if let value = value(of: Self.merged([without(word, members), part]), named: name, depth: depth + 1) {
          return value
        }
      }
      return nil
    }
    return value(ofType: Self.type(of: members), members, named: name, depth: depth)
  }

  private mutating func value(
    ofType type: String, _ schema: JSONObject, named name: String, depth: Int
  ) -> JSON? {
    switch type {
    case "object": object(schema, depth: depth)
    case "array": array(schema, named: name, depth: depth)
    case "string": string(schema, named: name).map { .string($0) }
    case "number", "integer": number(schema, isWhole: type == "integer")
    case "boolean": true
    default: .null
    }
  }

  private static func type(of schema: JSONObject) -> String {
    switch schema["type"] {
    case .string(let type): return type
    case .array(let types): return types.compactMap(\.stringValue).first { $0 != "null" } ?? "null"
    case .null, .bool, .number, .object, nil: break
    }
    func has(_ words: [String]) -> Bool { words.contains { schema[$0] != nil } }
    if has(["properties", "required", "additionalProperties", "minProperties"]) { return "object" }
    if has(["items", "prefixItems", "minItems", "maxItems", "contains"]) { return "array" }
    if has(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) { return "number" }
    return "string"
  }

  // MARK: Objects and lists

  private mutating func object(_ schema: JSONObject, depth: Int) -> JSON? {
    let required = schema["required"]?.arrayValue?.compactMap(\.stringValue) ?? []
    var members = JSONObject()
    for (name, property) in schema["properties"]?.objectValue ?? [:] {
      let isRequired = required.contains { $0.hasSameScalars(as: name) }
      if isLeast, !isRequired { continue }
      guard let value = value(of: property, named: name, depth: depth + 1) else {
        if isRequired { return nil }
        continue
      }
      members[name] = value
    }
    for name in required where members[name] == nil {
      guard let value = value(of: schema["additionalProperties"] ?? true, named: name, depth: depth + 1) else {
        return nil
      }
      members[name] = value
    }
    return .object(members)
  }

  private mutating func array(_ schema: JSONObject, named name: String, depth: Int) -> JSON? {
    var values: [JSON] = []
    for prefix in schema["prefixItems"]?.arrayValue ?? [] {
      guard let value = value(of: prefix, named: name, depth: depth + 1) else { return nil }
      values.append(value)
    }
    let items = schema["items"] ?? true
    let most = schema["maxItems"]?.intValue ?? Self.longest
    let wanted = min(max(schema["minItems"]?.intValue ?? 1, values.count, 1), most, Self.longest)
    if let contains = schema["contains"], values.count < wanted,
      let value = value(of: contains, named: name, depth: depth + 1)
    {
      values.append(value)
    }
    while values.count < wanted {
      // Elements that must differ get other numbers in their texts.
      let number = values.count + 1
      guard let value = value(of: items, named: number == 1 ? name : "\(name)\(number)", depth: depth + 1) else {
        break
      }
      values.append(schema["uniqueItems"] == true ? Self.varied(value, among: values, number) : value)
    }
    return .array(values)
  }

  private static func varied(_ value: JSON, among others: [JSON], _ number: Int) -> JSON {
    guard others.contains(value) else { return value }
    switch value {
    case .number(let first): return .number(JSONNumber(first.doubleValue + Double(number)))
    case .string(let text): return .string("\(text)\(number)")
    case .null, .bool, .array, .object: return value
    }
  }

  // MARK: Texts and numbers

  private func string(_ schema: JSONObject, named name: String) -> String? {
    let least = min(schema["minLength"]?.intValue ?? 0, Self.longest)
    let most = schema["maxLength"]?.intValue ?? Self.longest
    if let source = schema["pattern"]?.stringValue {
      guard let pattern = try? ECMAPattern(source), var text = pattern.example else { return nil }
      while text.unicodeScalars.count < least { text += "1" }
      return text
    }
    if let format = schema["format"]?.stringValue, let text = Self.formats[format] { return text }
    var text = "\(name)-1"
    while text.unicodeScalars.count < least { text += "1" }
    return String(String.UnicodeScalarView(text.unicodeScalars.prefix(max(most, 0))))
  }

  private static let formats = [
    "date-time": "2026-03-02T08:00:00Z", "date": "2026-03-02", "time": "08:00:00Z", "duration": "PT1H",
    "email": "lab@example.org", "idn-email": "lab@example.org", "hostname": "lab.example.org",
    "idn-hostname": "lab.example.org", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.org/1",
    "iri": "https://example.org/1", "uri-reference": "/1", "iri-reference": "/1", "uri-template": "/{id}",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057", "json-pointer": "/a", "regex": "^a$",
  ]

  private func number(_ schema: JSONObject, isWhole: Bool) -> JSON? {
    func limit(_ name: String) -> Double? { schema[name]?.doubleValue }
    let step = limit("multipleOf") ?? (isWhole ? 1 : nil)
    let lower = max(limit("minimum") ?? -.infinity, limit("exclusiveMinimum") ?? -.infinity)
    let upper = min(limit("maximum") ?? .infinity, limit("exclusiveMaximum") ?? .infinity)
    func isAllowed(_ value: Double) -> Bool {
      if let least = limit("exclusiveMinimum"), value <= least { return false }
      if let most = limit("exclusiveMaximum"), value >= most { return false }
      return value >= lower && value <= upper
    }
    var tried: [Double] = [1, 10, 0, lower, lower + 1, upper, upper - 1, (lower + upper) / 2]
    if let step, step > 0 {
      tried = tried.flatMap { [($0 / step).rounded(.up) * step, ($0 / step).rounded(.down) * step] }
    }
    guard let value = tried.first(where: { $0.isFinite && isAllowed($0) }) else { return nil }
    if value == value.rounded(), abs(value) < 9e15 { return .int(Int(value)) }
    return .number(JSONNumber(value))
  }

  // MARK: References and parts

  private func referenced(_ reference: String) -> JSON? {
    if reference == "#" { return root }
    guard reference.hasPrefix("#/") else {
      guard reference.hasPrefix("#") else { return nil }
      let anchor = reference.dropFirst()
      return (root["$defs"]?.objectValue ?? [:]).first { $0.value["$anchor"]?.stringValue ?? "" == anchor }?.value
    }
    let tokens = reference.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false).map {
      $0.replacing("~1", with: "/").replacing("~0", with: "~")
    }
    var value: JSON? = root
    for token in tokens {
      if case .array(let elements)? = value {
        value = Int(token).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
      } else {
        value = value?[String(token)]
      }
    }
    return value
  }

  private func without(_ name: String, _ schema: JSONObject) -> JSON {
    var rest = schema
    rest[name] = nil
    return .object(rest)
  }

  /// Returns one schema with the keywords of all. Of two limits or words, the later one counts.
  private static func merged(_ schemas: [JSON]) -> JSON {
    var merged = JSONObject()
    for schema in schemas {
      for (name, value) in schema.objectValue ?? [:] {
        switch (name, merged[name], value) {
        case ("properties", .object(var properties)?, .object(let more)):
          for (name, value) in more { properties[name] = value }
          merged[name] = .object(properties)
        case ("required", .array(let names)?, .array(let more)): merged[name] = .array(names + more)
        default: merged[name] = value
        }
      }
    }
    return .object(merged)
  }
}
