/// A JSON value (RFC 8259). Integers stay exact, and objects keep the order in which they were written.
///
/// Strings and member names are equal when their Unicode scalars are equal, never by canonical equivalence. `"é"` in
/// one scalar and `"é"` in two are different names, as RFC 8259 §8.3 and RFC 9535 §2.3.5.2.2 require.
public enum JSON: Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSON])
  case object(JSONObject)
}

extension JSON: Hashable {
  public static func == (left: JSON, right: JSON) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left.hasSameScalars(as: right)
    case (.array(let left), .array(let right)): left == right
    case (.object(let left), .object(let right)): left == right
    case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let value): hasher.combine(value)
    case .number(let value): hasher.combine(value)
    case .string(let value): hasher.combine(ScalarKey(value))
    case .array(let values): hasher.combine(values)
    case .object(let members): hasher.combine(members)
    }
  }
}

// MARK: Reading

extension JSON {
  /// The member with this name; nil when the value is not an object or has no such member.
  public subscript(name: String) -> JSON? {
    if case .object(let members) = self { members[name] } else { nil }
  }

  /// The element at this index; nil when the value is not an array or is shorter.
  public subscript(index: Int) -> JSON? {
    if case .array(let values) = self, values.indices.contains(index) { values[index] } else { nil }
  }

  public var stringValue: String? { if case .string(let value) = self { value } else { nil } }
  public var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var arrayValue: [JSON]? { if case .array(let values) = self { values } else { nil } }
  public var objectValue: JSONObject? { if case .object(let members) = self { members } else { nil } }
  public var numberValue: JSONNumber? { if case .number(let value) = self { value } else { nil } }
  /// The exact integer; nil when the value is not a number, has a fraction, or does not fit an `Int`.
  public var intValue: Int? { numberValue?.intValue }
  public var doubleValue: Double? { numberValue?.doubleValue }
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// The name of the value's kind: `null`, `boolean`, `number`, `string`, `array`, `object`.
  public var kind: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}

// MARK: Literals

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByStringInterpolation
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .number(JSONNumber(value)) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(JSONObject(elements)) }

  /// Returns an integer as a JSON number.
  public static func int(_ value: Int) -> JSON { .number(JSONNumber(value)) }
}

extension String {
  /// Returns true when both have the same Unicode scalars. Swift's `==` also accepts canonically equivalent ones.
  public func hasSameScalars(as other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    let fast = utf8.withContiguousStorageIfAvailable { left in
      other.utf8.withContiguousStorageIfAvailable { right in
        for position in 0..<left.count where left[position] != right[position] { return false }
        return true
      }
    }
    return (fast ?? nil) ?? utf8.elementsEqual(other.utf8)
  }
}
