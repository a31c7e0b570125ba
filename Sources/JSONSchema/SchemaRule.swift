import JSON
import Patterns

/// One compiled schema of a document: the rules that a value must meet.
struct SchemaNode: Sendable {
  /// The index of its place.
  let place: Int
  /// The index of the schema resource that it belongs to.
  let resource: Int
  var rules: [SchemaRule] = []

  /// Whether the schema is `false`.
  var allowsNothing: Bool {
    if case .nothing? = rules.first { true } else { false }
  }

  /// Whether the schema has a rule on the parts of a value that no other rule has evaluated.
  var asksForEvaluated = false
}

/// What one keyword, or several keywords that belong together, demand. Numbers are indexes of nodes.
enum SchemaRule: Sendable {
  /// The schema `false`.
  case nothing
  case type(SchemaTypes)
  case constant(WeighedValue)
  case oneOfValues(SchemaValues)
  case number(NumberRule)
  case text(TextRule)
  case array(ArrayRule)
  case object(ObjectRule)
  case inPlace(InPlaceRule)
  case unevaluatedItems(Int)
  case unevaluatedProperties(Int)
}

enum NumberRule: Sendable {
  case multipleOf(JSONNumber)
  case maximum(JSONNumber)
  case exclusiveMaximum(JSONNumber)
  case minimum(JSONNumber)
  case exclusiveMinimum(JSONNumber)
}

enum TextRule: Sendable {
  case maxLength(Int)
  case minLength(Int)
  case pattern(ECMAPattern, source: String)
}

enum ArrayRule: Sendable {
  case maxItems(Int)
  case minItems(Int)
  case uniqueItems
  /// - Parameter items: the schema of the elements after the first ones.
  case elements(prefix: [Int], items: Int?)
  /// - Parameters:
  ///   - least: the keyword `minContains`; nil means 1.
  ///   - most: the keyword `maxContains`; nil means no limit.
  case contains(Int, least: Int?, most: Int?)
}

enum ObjectRule: Sendable {
  case maxProperties(Int)
  case minProperties(Int)
  case required([String])
  case dependentRequired([(name: String, needed: [String])])
  case dependentSchemas([(name: String, schema: Int)])
  case members(MemberRule)
  case propertyNames(Int)
}

/// The keywords `properties`, `patternProperties` and `additionalProperties`.
struct MemberRule: Sendable {
  var named: [ScalarKey: Int] = [:]
  var patterns: [(pattern: ECMAPattern, schema: Int)] = []
  var additional: Int?
}

enum InPlaceRule: Sendable {
  case ref(Int)
  /// - Parameter anchor: the name by which an outer resource may replace the target; nil when none may.
  case dynamicRef(Int, anchor: ScalarKey?)
  case allOf([Int])
  case anyOf([Int])
  case oneOf([Int])
  case not(Int)
  case conditional(if: Int, then: Int?, else: Int?)
}

/// The types of the keyword `type`.
struct SchemaTypes: OptionSet, Sendable {
  let rawValue: UInt8

  static let null = SchemaTypes(rawValue: 1)
  static let boolean = SchemaTypes(rawValue: 2)
  static let integer = SchemaTypes(rawValue: 4)
  static let number = SchemaTypes(rawValue: 8)
  static let string = SchemaTypes(rawValue: 16)
  static let array = SchemaTypes(rawValue: 32)
  static let object = SchemaTypes(rawValue: 64)

  /// The types by their names, in the order of messages.
  static let names: [(name: String, type: SchemaTypes)] = [
    ("string", .string), ("integer", .integer), ("number", .number), ("boolean", .boolean), ("object", .object),
    ("array", .array), ("null", .null),
  ]

  func contain(_ value: JSON) -> Bool {
    switch value {
    case .null: contains(.null)
    case .bool: contains(.boolean)
    case .number(let number): contains(.number) || (contains(.integer) && number.isWhole)
    case .string: contains(.string)
    case .array: contains(.array)
    case .object: contains(.object)
    }
  }

  /// The types with their articles, such as “a string or null”.
  var words: String {
    Self.names.filter { contains($0.type) }.map { name, _ in
      switch name {
      case "integer": "a whole number"
      case "null": "null"
      case "object", "array": "an \(name)"
      case "boolean": "true or false"
      default: "a \(name)"
      }
    }.joined(separator: " or ")
  }
}

/// A value of a schema, and the work of comparing another value with it.
struct WeighedValue: Sendable {
  let value: JSON
  let weight: Int

  init(_ value: JSON) {
    self.value = value
    weight = Self.weight(of: value)
  }

  private static func weight(of value: JSON) -> Int {
    switch value {
    case .null, .bool: 1
    case .number(let number): 1 + number.textLength >> 5
    case .string(let text): 1 + text.utf8.count >> 5
    case .array(let values): values.reduce(1) { $0 + weight(of: $1) }
    case .object(let members): members.reduce(1) { $0 + weight(of: $1.value) + $1.name.utf8.count >> 5 }
    }
  }
}

/// The values of the keyword `enum`. Texts are found by their hash.
struct SchemaValues: Sendable {
  private let texts: Set<ScalarKey>
  private let others: [WeighedValue]
  /// All values, in the order of the schema.
  let all: [JSON]

  init(_ values: [JSON]) {
    all = values
    texts = Set(values.compactMap { $0.stringValue.map(ScalarKey.init) })
    others = values.filter { $0.stringValue == nil }.map(WeighedValue.init)
  }

  func contain(_ value: JSON, _ meter: SchemaMeter) -> Bool {
    if case .string(let text) = value { return meter.charge(text: text.utf8.count) && texts.contains(ScalarKey(text)) }
    return others.contains { meter.charge($0.weight) && $0.value == value }
  }
}
