import JSON

// A schema declares a part of its values as sensitive by `"sensitive": true`. Finding these parts needs no validation: a
// part is sensitive when a subschema that may apply to it says so. A branch of `anyOf` that the value does not meet
// counts too, because it is better to seal too much.

extension WorkflowSchema {
  /// Returns a value with each of its sensitive parts replaced. Null stays null.
  /// - Parameter seal: returns what takes the place of a sensitive part.
  package func replacingSensitive(in value: JSON, _ seal: (JSON) -> JSON) -> JSON {
    guard declaresSensitive else { return value }
    return SensitiveParts(root: source).replace(in: value, by: [source], seal)
  }

  /// Returns whether a query with these leading names may read a sensitive part, or a value that has one.
  /// - Parameter path: the names below the value; nil for an element of a list.
  package func isSensitive(_ path: [String?]) -> Bool {
    declaresSensitive && SensitiveParts(root: source).isSensitive(path[...], by: [source])
  }

  /// Why the engine can't know all sensitive parts: a reference into another resource. Nil when it can.
  package var obstacleToSealing: String? { declaresSensitive ? SensitiveParts.foreignReference(in: source) : nil }
}

extension WorkflowDefinition {
  /// Whether the workflow declares a part of its input, or of the body of a signal, as sensitive.
  public var hasSensitiveParts: Bool {
    schemas.contains { $0.schema.declaresSensitive }
      || steps.contains { $0.undoSignal?.schema?.declaresSensitive ?? false }
  }
}

struct SensitiveParts {
  let root: JSON

  /// The most subschemas that apply to one value, and the deepest value. Everything beyond is sealed.
  private static let mostSchemas = 512
  private static let deepest = 128

  /// The keywords whose value is a schema for the same value, a list of such schemas, or an object of them.
  private static let same = ["not", "if", "then", "else"]
  private static let lists = ["allOf", "anyOf", "oneOf"]
  private static let named = ["dependentSchemas"]
  /// The keywords with schemas for the members and the elements.
  private static let members = ["additionalProperties", "unevaluatedProperties"]
  private static let elements = ["items", "unevaluatedItems", "contains"]

  func replace(in value: JSON, by schemas: [JSON], depth: Int = 0, _ seal: (JSON) -> JSON) -> JSON {
    if schemas.isEmpty || value.isNull { return value }
    guard let applied = applied(schemas), depth < Self.deepest else { return seal(value) }
    if applied.contains(where: Self.isMark) { return seal(value) }
    switch value {
    case .object(let members):
      return .object(
        JSONObject(
          members.map { name, member in
            (name, replace(in: member, by: Self.schemas(ofMember: name, in: applied), depth: depth + 1, seal))
          }))
    case .array(let elements):
      // Nearly all elements of a list have the same schemas.
      let most = applied.compactMap { $0["prefixItems"]?.arrayValue?.count }.max() ?? 0
      let rest = Self.schemas(ofElement: nil, in: applied)
      return .array(
        elements.enumerated().map { index, element in
          let schemas = index < most ? Self.schemas(ofElement: index, in: applied) : rest
          return replace(in: element, by: schemas, depth: depth + 1, seal)
        })
    case .null, .bool, .number, .string: return value
    }
  }

  func isSensitive(_ path: ArraySlice<String?>, by schemas: [JSON], depth: Int = 0) -> Bool {
    if schemas.isEmpty { return false }
    guard let applied = applied(schemas), depth < Self.deepest else { return true }
    if applied.contains(where: Self.isMark) { return true }
    if let next = path.first {
      let below =
        next.map { Self.schemas(ofMember: $0, in: applied) } ?? applied.flatMap(Self.allElements)
      return isSensitive(path.dropFirst(), by: below, depth: depth + 1)
    }
    // The whole value is read, with everything in it.
    return isMarkedBelow(applied)
  }

  /// Returns whether one of these schemas, or one that applies to a part of their values, is marked.
  private func isMarkedBelow(_ schemas: [JSON]) -> Bool {
    var seen: Set<JSON> = []
    var next = schemas
    while let schema = next.popLast() {
      guard seen.insert(schema).inserted else { continue }
      guard seen.count <= 10_000, let applied = applied([schema]) else { return true }
      if applied.contains(where: Self.isMark) { return true }
      next += applied.flatMap { Self.allMembers(of: $0) + Self.allElements(of: $0) }
    }
    return false
  }

  /// Returns the subschemas that apply to the same value, over references; nil for more than can be looked at.
  private func applied(_ schemas: [JSON]) -> [JSON]? {
    var found: [JSON] = []
    var seen: Set<String> = []
    var next = schemas
    while let schema = next.popLast() {
      guard case .object(let members) = schema else { continue }
      found.append(schema)
      guard found.count <= Self.mostSchemas else { return nil }
      for keyword in ["$ref", "$dynamicRef"] {
        guard let reference = members[keyword]?.stringValue, seen.insert(reference).inserted else { continue }
        if let target = target(of: reference) { next.append(target) }
      }
      for keyword in Self.same { if let one = members[keyword] { next.append(one) } }
      for keyword in Self.lists { next += members[keyword]?.arrayValue ?? [] }
      for keyword in Self.named { next += members[keyword]?.objectValue?.map(\.value) ?? [] }
    }
    return found
  }

  private static func isMark(_ schema: JSON) -> Bool { schema["sensitive"]?.boolValue == true }

  private static func schemas(ofMember name: String, in schemas: [JSON]) -> [JSON] {
    schemas.flatMap { schema -> [JSON] in
      var found = schema["patternProperties"]?.objectValue?.map(\.value) ?? []
      if let named = schema["properties"]?[name] {
        found.append(named)
      } else {
        found += members.compactMap { schema[$0] }
      }
      return found
    }
  }

  /// - Parameter index: nil for an element behind all `prefixItems`.
  private static func schemas(ofElement index: Int?, in schemas: [JSON]) -> [JSON] {
    schemas.flatMap { schema in
      [index.flatMap { schema["prefixItems"]?[$0] }].compactMap(\.self) + elements.compactMap { schema[$0] }
    }
  }

  private static func allMembers(of schema: JSON) -> [JSON] {
    ["properties", "patternProperties"].flatMap { schema[$0]?.objectValue?.map(\.value) ?? [] }
      + members.compactMap { schema[$0] }
  }

  private static func allElements(of schema: JSON) -> [JSON] {
    (schema["prefixItems"]?.arrayValue ?? []) + elements.compactMap { schema[$0] }
  }

  // MARK: References

  /// Returns the schema that a reference names: the whole document, a place in it, or an anchor.
  private func target(of reference: String) -> JSON? {
    guard reference.hasPrefix("#") else { return nil }
    let fragment = reference.dropFirst()
    if fragment.isEmpty { return root }
    guard fragment.hasPrefix("/") else { return Self.anchored(String(fragment), in: root) }
    var place = root
    for token in fragment.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
      let name = Self.decoded(String(token)).replacing("~1", with: "/").replacing("~0", with: "~")
      guard let next = place[name] ?? Int(name).flatMap({ place[$0] }) else { return nil }
      place = next
    }
    return place
  }

  /// Returns the text with `%2F` and the like decoded.
  private static func decoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func anchored(_ name: String, in schema: JSON) -> JSON? {
    if schema["$anchor"]?.stringValue == name || schema["$dynamicAnchor"]?.stringValue == name { return schema }
    for below in subschemas(of: schema) { if let found = anchored(name, in: below) { return found } }
    return nil
  }

  /// The schemas one level below a schema, whatever they are for.
  private static func subschemas(of schema: JSON) -> [JSON] {
    same.compactMap { schema[$0] } + lists.flatMap { schema[$0]?.arrayValue ?? [] }
      + ["dependentSchemas", "$defs", "definitions"].flatMap { schema[$0]?.objectValue?.map(\.value) ?? [] }
      + allMembers(of: schema) + allElements(of: schema)
      + ["propertyNames", "contentSchema"].compactMap { schema[$0] }
  }

  /// Whether a schema or one below it is marked.
  static func isMarked(_ schema: JSON, depth: Int = 0) -> Bool {
    if isMark(schema) { return true }
    return depth < 256 && subschemas(of: schema).contains { isMarked($0, depth: depth + 1) }
  }

  static func foreignReference(in schema: JSON, depth: Int = 0) -> String? {
    if depth > 0, let id = schema["$id"]?.stringValue { return id }
    for keyword in ["$ref", "$dynamicRef"] {
      if let reference = schema[keyword]?.stringValue, !reference.hasPrefix("#") { return reference }
    }
    guard depth < 256 else { return nil }
    return subschemas(of: schema).lazy.compactMap { foreignReference(in: $0, depth: depth + 1) }.first
  }
}
