/// What a registry asks of a subject's next schema, by the registry's own names.
public enum SchemaCompatibility: String, Sendable, Hashable, CaseIterable {
  /// Nothing.
  case none = "NONE"
  /// Who has the next schema can read what was written with the latest one.
  case backward = "BACKWARD"
  case backwardTransitive = "BACKWARD_TRANSITIVE"
  /// Who has the latest schema can read what is written with the next one.
  case forward = "FORWARD"
  case forwardTransitive = "FORWARD_TRANSITIVE"
  case full = "FULL"
  case fullTransitive = "FULL_TRANSITIVE"
}
