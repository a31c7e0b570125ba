import JSON

/// The parts of a step that could be read.
struct StepDraft {
  let index: Int
  let pointer: JSONPointer
  /// The index of the group around the step.
  let group: Int?
  /// The index of the step before it in the same list.
  let previous: Int?
  /// The indexes of a group's members, without those of groups inside it.
  var members: [Int] = []
  var id: String?
  var description: String?
  /// The dependencies that the file names, with their places.
  var dependsOn: [(text: String, pointer: JSONPointer)]?
  var action: Action?
  var poll: Poll?
  var concurrency: Concurrency?
  var when: JSONPathCondition?
  var timeout: Duration?
  var remind: Remind?
  var expected: Duration?
  var retry: RetryRules = .builtIn
  var compensation: Compensation = .unspecified
  var pivot = false
  var onFailure: OnFailure = .compensate
  /// True when the file has a `when`, even one that is invalid.
  var mayBeSkipped = false
  var forEach: ForEach?
  /// True when the file has a `forEach`, even one that is invalid.
  var hasForEach = false
  var uses: [Use] = []

  init(index: Int, pointer: JSONPointer, group: Int? = nil, previous: Int? = nil) {
    self.index = index
    self.pointer = pointer
    self.group = group
    self.previous = previous
  }

  /// The name of the step in messages.
  var label: String { id ?? "the step \(pointer.shown)" }
}

/// A query or a condition of the file, and its purpose.
struct Use {
  enum Role: Hashable {
    /// The engine renders it when the step runs.
    case action
    /// It decides whether the step runs.
    case when
    /// It decides whether the step takes a signal.
    case accept
    /// It gives the key of the turn that the step takes.
    case turn
    /// It judges an answer of a step that polls.
    case poll
    /// It finds the items of a `forEach`.
    case items
    /// It gives each item of a `forEach` its key.
    case key
    /// The engine renders it when the step is undone, after these outcomes.
    case undo(Set<Outcome>)
    /// It decides whether the undo of the step takes a signal, after these outcomes of the step.
    case undoAccept(Set<Outcome>)
    /// The engine renders it when the saga is completed.
    case output
    /// The engine renders it when the saga starts, before any step.
    case start

    /// Whether it judges a signal.
    var isAccept: Bool {
      switch self {
      case .accept, .undoAccept: true
      case .action, .when, .turn, .poll, .items, .key, .undo, .output, .start: false
      }
    }

    /// The outcomes after which an undo that has it runs; nil outside undos.
    var undoOutcomes: Set<Outcome>? {
      switch self {
      case .undo(let outcomes), .undoAccept(let outcomes): outcomes
      case .action, .when, .accept, .turn, .poll, .items, .key, .output, .start: nil
      }
    }
  }

  let role: Role
  /// The condition; nil for a `${…}`.
  let condition: Condition?
  let reads: [QueryRead]
  /// The pointer to its string.
  let pointer: JSONPointer
  /// The start of the query in that string; -2 when `$.` was added before it.
  let offset: Int
}
