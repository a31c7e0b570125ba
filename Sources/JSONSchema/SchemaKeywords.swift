import JSON
import Values

/// The vocabularies of draft 2020-12, besides the core, which always applies.
struct SchemaVocabularies: OptionSet {
  let rawValue: UInt8

  static let applicator = SchemaVocabularies(rawValue: 1)
  static let unevaluated = SchemaVocabularies(rawValue: 2)
  static let validation = SchemaVocabularies(rawValue: 4)
  static let metadata = SchemaVocabularies(rawValue: 8)
  static let formatAnnotation = SchemaVocabularies(rawValue: 16)
  static let content = SchemaVocabularies(rawValue: 32)
  static let core = SchemaVocabularies([])

  /// The vocabularies of the metaschema.
  static let standard: SchemaVocabularies = [
    .applicator, .unevaluated, .validation, .metadata, .formatAnnotation, .content,
  ]

  /// Returns the vocabulary with this URI.
  static func named(_ uri: String) -> SchemaVocabularies? {
    let base = "https://json-schema.org/draft/2020-12/vocab/"
    guard uri.hasPrefix(base) else { return nil }
    return switch uri.dropFirst(base.count) {
    case "core": .core
    case "applicator": .applicator
    case "unevaluated": .unevaluated
    case "validation": .validation
    case "meta-data": .metadata
    case "format-annotation": .formatAnnotation
    case "content": .content
    default: nil
    }
  }
}

/// The names of the keywords.
enum SchemaKeywords {
  static let all = [
    "$schema", "$vocabulary", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$defs", "$comment",
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "prefixItems", "items", "contains",
    "properties", "patternProperties", "additionalProperties", "propertyNames", "unevaluatedItems",
    "unevaluatedProperties", "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum",
    "exclusiveMinimum", "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains",
    "minContains", "maxProperties", "minProperties", "required", "dependentRequired", "title", "description",
    "default", "deprecated", "readOnly", "writeOnly", "examples", "format", "contentEncoding", "contentMediaType",
    "contentSchema", "definitions",
    // Not of the standard: the engine seals the value (`docs/workflow-language.md`).
    "sensitive",
  ]
  private static let known = Set(all)

  /// The keywords of older drafts and of other schema languages, each with the keyword of this one.
  private static let outdated = [
    "dependencies": "dependentRequired", "additionalItems": "items", "$recursiveRef": "$dynamicRef",
    "$recursiveAnchor": "$dynamicAnchor", "id": "$id",
    "min": "minimum", "max": "maximum", "minLen": "minLength", "maxLen": "maxLength", "regex": "pattern",
    "nullable": "type", "optional": "required",
  ]

  private static let types: Set = ["string", "integer", "number", "boolean", "object", "array", "null"]

  static func isKnown(_ name: String) -> Bool { known.contains(name) }

  /// Returns true for the name of a type, and for an object that has a type or the keywords of an object or a list.
  static func looksLikeSchema(_ json: JSON) -> Bool {
    switch json {
    case .string(let text): types.contains(text)
    case .object(let members): ["type", "enum", "const", "properties", "items"].contains { members[$0] != nil }
    case .null, .bool, .number, .array: false
    }
  }

  /// Returns the keyword that a member was probably meant to be. Nil for a keyword, and for a member that resembles
  /// none.
  static func meant(by name: String) -> String? {
    if known.contains(name) || name.hasPrefix("x-") { return nil }
    if let keyword = outdated[name] { return keyword }
    let length = name.unicodeScalars.count
    let limit = length < 5 ? 1 : length < 8 ? 2 : 3
    // A short keyword, such as `not`, resembles too many words.
    let lower = name.lowercased()
    return all.first { $0.lowercased() == lower }
      ?? NearNames.nearest(to: name, among: all.filter { $0.utf8.count > 4 }, within: limit)
  }
}

extension JSON {
  /// The kind of the value with its article, for a message.
  var kindWithArticle: String {
    switch self {
    case .null: "null"
    case .array, .object: "an \(kind)"
    case .bool, .number, .string: "a \(kind)"
    }
  }
}
