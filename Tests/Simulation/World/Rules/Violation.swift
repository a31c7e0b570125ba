/// A rule that a run has broken.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
  /// The rule, with its number in the list of `docs/reliability.md` where it has one.
  public let rule: String
  public let saga: String?
  public let what: String

  init(_ rule: String, _ saga: String?, _ what: String) {
    self.rule = rule
    self.saga = saga
    self.what = what
  }

  public var description: String { "[\(rule)] \(saga.map { "\($0): " } ?? "")\(what)" }
}
