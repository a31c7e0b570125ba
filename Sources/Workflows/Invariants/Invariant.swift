import JSON
import Values

/// A statement about every end of a workflow's sagas, as `compensated => undone(allocateStorage)`.
///
/// `saga check --explore` tries it against each failure. The engine does not enforce it.
public struct Invariant: Sendable {
  /// The state in which a saga comes to rest.
  public enum End: String, Sendable, Hashable, CaseIterable {
    case completed, compensated, stuck, abandoned
  }

  /// What can be said of one step.
  public enum Fact: String, Sendable, Hashable, CaseIterable {
    /// The engine has recorded that the step succeeded.
    case succeeded
    /// The engine has recorded that the step failed.
    case failed
    /// The step's condition was false, or an operator skipped it.
    case skipped
    /// The step's work really happened at its participant, also if it is undone now.
    case happened
    /// Nothing of the step's work is in effect: it was undone, or it never happened.
    case undone
  }

  indirect enum Node: Sendable {
    case end(End)
    case fact(Fact, step: String)
    case not(Node)
    case all([Node])
    case any([Node])
    case implies(Node, Node)
  }

  /// The invariant as the file writes it.
  public let text: String
  /// The steps that it names, with their places in the text, in Unicode scalars.
  let steps: [(id: String, at: Int)]
  let root: Node

  /// - Throws: the first mistake.
  public init(_ text: String) throws(InvariantMistake) {
    var parser = try InvariantParser(text)
    root = try parser.whole()
    steps = parser.steps
    self.text = text
  }

  /// Returns whether the invariant is true of one run.
  /// - Parameters:
  ///   - end: the state in which the saga came to rest; nil when it did not.
  ///   - isTrue: whether a fact is true of a step.
  public func holds(end: End?, _ isTrue: (Fact, String) -> Bool) -> Bool { Self.holds(root, end, isTrue) }

  private static func holds(_ node: Node, _ end: End?, _ isTrue: (Fact, String) -> Bool) -> Bool {
    switch node {
    case .end(let wanted): end == wanted
    case .fact(let fact, let step): isTrue(fact, step)
    case .not(let inner): !holds(inner, end, isTrue)
    case .all(let parts): parts.allSatisfy { holds($0, end, isTrue) }
    case .any(let parts): parts.contains { holds($0, end, isTrue) }
    case .implies(let one, let other): !holds(one, end, isTrue) || holds(other, end, isTrue)
    }
  }
}

extension Invariant: Hashable {
  public static func == (left: Invariant, right: Invariant) -> Bool { left.text.hasSameScalars(as: right.text) }
  public func hash(into hasher: inout Hasher) { hasher.combine(JSON.string(text)) }
}

/// Why a text is not an invariant.
public struct InvariantMistake: Error, Sendable, Hashable {
  public let message: String
  /// The place in the text, in Unicode scalars.
  public let at: Int
  /// The word that was probably meant.
  public let near: String?

  init(_ message: String, at: Int, near: String? = nil) {
    self.message = message
    self.at = at
    self.near = near
  }
}
