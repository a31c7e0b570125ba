import JSON

/// A step as far as it could be read.
struct StepDraft {
  let index: Int
  let pointer: JSONPointer
  var id: String?
  var description: String?
  /// The steps that the file names, and where.
  var dependsOn: [(text: String, pointer: JSONPointer)]?
  var action: Action?
  var when: JSONPathCondition?
  var timeout: Duration?
  var expected: Duration?
  var retry: RetryRules = .builtIn
  var compensation: Compensation = .unspecified
  var pivot = false
  var onFailure: OnFailure = .compensate
  /// Whether the file has a `when`, even one that can't be read.
  var mayBeSkipped = false
  var hasForEach = false
  var uses: [Use] = []

  /// What to call it in a message.
  var label: String { id ?? "step \(index + 1)" }
}

/// A query or a condition of the file, and what it is for.
struct Use {
  enum Role: Hashable {
    /// Rendered when the step runs.
    case action
    /// Decides whether the step runs.
    case when
    /// Decides whether a signal is taken.
    case accept
    /// Rendered when the step is undone, after these outcomes.
    case undo(Set<Outcome>)
    /// Rendered when the saga is completed.
    case output
  }

  let role: Role
  let isCondition: Bool
  let reads: [QueryRead]
  /// The string that holds it.
  let pointer: JSONPointer
  /// Where it begins in that string; -2 when `$.` was put before it.
  let offset: Int
}
