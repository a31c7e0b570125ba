import JSON
import Values

extension JSON {
  /// An object of the members that have a value: what is not known is left out.
  static func members(_ members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  static func text(_ value: String?) -> JSON? { value.map(JSON.string) }
  static func integer(_ value: Int?) -> JSON? { value.map(JSON.int) }
  static func time(_ value: Timestamp?) -> JSON? { value.map { .string($0.description) } }
  static func texts(_ values: [String]) -> JSON { .array(values.map(JSON.string)) }
  /// Nothing for an empty list. (`nil` would be read as the JSON literal here.)
  static func textsIfAny(_ values: [String]) -> JSON? { values.isEmpty ? Optional.none : texts(values) }
}
