/// A compatibility level: the registry's rule for a subject's next schema. The raw values are the registry's names.
public enum SchemaCompatibility: String, Sendable, Hashable, CaseIterable {
  /// No rule.
  case none = "NONE"
  /// A reader with the next schema can read data that was written with the latest one.
  case backward = "BACKWARD"
  case backwardTransitive = "BACKWARD_TRANSITIVE"
  /// A reader with the latest schema can read data that was written with the next one.
  case forward = "FORWARD"
  case forwardTransitive = "FORWARD_TRANSITIVE"
  case full = "FULL"
  case fullTransitive = "FULL_TRANSITIVE"
}
