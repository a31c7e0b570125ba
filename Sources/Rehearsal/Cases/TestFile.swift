import JSON
import SagaCore
import Values
import Workflows

// A test file: cases that a workflow must pass. `docs/testing-workflows.md` describes it.

/// A test file that has no mistakes.
package struct TestFile: Sendable {
  package let workflow: WorkflowDefinition
  package let cases: [TestCase]

  /// The size of the largest accepted file.
  package static let maxBytes = 4 << 20
  /// The most cases of a file.
  package static let maxCases = 1_000
  /// The most members of a list in a case.
  package static let maxItems = 1_000
}

/// One run of the workflow: what is given, and what must come of it.
package struct TestCase: Sendable {
  package let name: String
  /// The line of the case in its file, from 1.
  package let line: Int
  package var input: JSON = [:]
  package var key: String?
  package var tags: [String] = []
  /// Nil for the usual time of a virtual saga.
  package var startAt: Timestamp?
  package var answers = CaseAnswers()
  /// The items that the case's own answers name, with the member that names each.
  package var answeredItems: [AnsweredItem] = []
  package var signals: [CaseSignal] = []
  package var operators: [CaseAct] = []
  package var crashes: [VirtualCrash] = []
  package var keepsTombstones = true
  /// The steps and groups whose turn never comes.
  package var turnsNever: Set<String> = []
  package var expected = Expectation()

  package init(name: String, line: Int) {
    self.name = name
    self.line = line
  }
}

/// An item that an answer of a case names.
package struct AnsweredItem: Sendable, Hashable {
  /// `answers` or `undo`.
  package let member: String
  /// The item, as `run[A1]`.
  package let id: String
}

/// The planned answers of a case, by step and phase.
package struct CaseAnswers: Sendable, Hashable {
  /// The name of the answers for every step that has no answers of its own.
  package static let everyStep = "*"

  package var forward: [String: [CaseAnswer]] = [:]
  package var undo: [String: [CaseAnswer]] = [:]

  package init() {}

  /// The items that the answers name, in order.
  var items: [AnsweredItem] {
    func items(_ answers: [String: [CaseAnswer]], _ member: String) -> [AnsweredItem] {
      answers.keys.filter { ItemID($0) != nil }.sorted().map { AnsweredItem(member: member, id: $0) }
    }
    return items(forward, "answers") + items(undo, "undo")
  }

  /// Returns these answers with those of a case. The case's answers for a step replace these.
  func overridden(by other: CaseAnswers) -> CaseAnswers {
    var result = self
    result.forward.merge(other.forward) { $1 }
    result.undo.merge(other.undo) { $1 }
    return result
  }

  /// Returns the answer to the n-th call of a step or of an item, from 0. The last answer of a list repeats. An item
  /// without answers of its own has those of its step. Nil when none is planned.
  package func answer(_ step: String, _ phase: StepPhase, call: Int) -> CaseAnswer? {
    let all = phase == .forward ? forward : undo
    guard let list = all[step] ?? all[ItemID.step(of: step)] ?? all[Self.everyStep], !list.isEmpty else { return nil }
    var answer = list[min(call, list.count - 1)]
    answer.isLast = call >= list.count - 1
    return answer
  }
}

/// What a participant does with one call.
package struct CaseAnswer: Sendable, Hashable {
  package enum Content: Sendable, Hashable {
    /// An answer over HTTP. The engine's own rules say what it means.
    case status(Int, body: JSON?, headers: [Header])
    case output(JSON)
    /// A clean refusal.
    case failure(StepFailure)
    /// The participant does not know whether it happened.
    case unknown(StepFailure)
    /// No answer ever comes.
    case silence
    /// The service can't be reached.
    case refusedConnection
  }

  package struct Header: Sendable, Hashable {
    package let name: String
    package let value: String
  }

  package let content: Content
  /// The time from the call to the answer; nil for the usual time, or for a second after the timeout of a late answer.
  package var after: Duration?
  /// Whether the work was done. Nil: it was done if the answer says so.
  package var happened: Bool?
  /// Whether the answer comes after the attempt has timed out.
  package var isLate = false
  /// Whether no worker takes the task.
  package var isUntaken = false
  /// Whether each later call of the step gets the same answer.
  package var isLast = false

  package init(_ content: Content, after: Duration? = nil, happened: Bool? = nil) {
    self.content = content
    self.after = after
    self.happened = happened
  }
}

/// A signal to the saga.
package struct CaseSignal: Sendable {
  package enum Time: Sendable, Hashable {
    /// This long after the start of the saga.
    case at(Duration)
    /// This long after a step begins to wait for the signal.
    case after(Duration)
  }

  package let time: Time
  package let name: String
  package let body: JSON
  package let by: String
  package let key: String?
  /// The code with which the saga must refuse the signal; nil when it must take or keep it.
  package let refused: String?

  package init(
    time: Time, name: String, body: JSON, by: String, key: String? = nil, refused: String? = nil
  ) {
    self.time = time
    self.name = name
    self.body = body
    self.by = by
    self.key = key
    self.refused = refused
  }
}

/// An operator's request.
package struct CaseAct: Sendable {
  /// The time from the start of the saga.
  package let at: Duration
  package let request: OperatorRequest
  /// The code with which the saga must refuse the request; nil when it must take it.
  package let refused: String?
}
