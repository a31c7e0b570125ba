/// An error with a stable code that has a page in `docs/errors/`.
public protocol CodedError: Error, CustomStringConvertible {
  /// The code: dotted lower-camel words, such as `store.versionConflict`. Programs match on it, so it never changes.
  var code: String { get }
  /// One sentence for a person: what happened and what was expected. It is safe to show to a client.
  var message: String { get }
}

extension CodedError {
  public var description: String { "\(message) [\(code)]" }
}
