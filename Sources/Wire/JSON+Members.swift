import JSON
import Values

extension JSON {
  /// Returns an object of the members that have a value.
  public static func members(_ members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(JSONObject(members.compactMap { name, value in value.map { (name, $0) } }))
  }

  public static func text(_ value: String?) -> JSON? { value.map(JSON.string) }
  public static func integer(_ value: Int?) -> JSON? { value.map(JSON.int) }
  public static func time(_ value: Timestamp?) -> JSON? { value.map { .string($0.description) } }
  public static func texts(_ values: [String]) -> JSON { .array(values.map(JSON.string)) }
  /// Returns nil for an empty list. (`nil` would be read as the JSON literal here.)
  public static func textsIfAny(_ values: [String]) -> JSON? { values.isEmpty ? Optional.none : texts(values) }
  /// Returns nil for an empty list.
  public static func labelsIfAny(_ labels: [Label]) -> JSON? { labels.isEmpty ? Optional.none : .labels(labels) }
  /// Returns `true`, or nil for false.
  public static func flag(_ value: Bool) -> JSON? { value ? .bool(true) : Optional.none }
  public static func list(_ values: [some WireValue]) -> JSON { .array(values.map(\.json)) }
  /// Returns nil for an empty list.
  public static func listIfAny(_ values: [some WireValue]) -> JSON? { values.isEmpty ? Optional.none : list(values) }

  /// Returns the seconds of a duration, to the millisecond.
  public static func seconds(_ duration: Duration) -> JSON {
    let (seconds, attoseconds) = duration.components
    return .number(JSONNumber(Double(seconds * 1_000 + attoseconds / 1_000_000_000_000_000) / 1_000))
  }
}
