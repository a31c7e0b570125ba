import JSON
import SagaCore
import Values
import Workflows

/// What came of a case.
package struct CaseResult: Sendable {
  package let test: TestCase
  /// Nil when the saga did not start, or could not be played to its end.
  package let run: VirtualRun?
  /// The calls for which the case has no answer. With one of them, the rest of the run says nothing.
  package let unanswered: [UnansweredCall]
  /// What is not as the case expects it. Empty: the case has passed.
  package let differences: [Difference]

  package var isPassed: Bool { differences.isEmpty }
}

/// A call for which a case has no answer.
package struct UnansweredCall: Sendable, Hashable {
  package let step: String
  package let phase: StepPhase
  package let at: Timestamp
  /// Why the answers of every step can't be used; nil when there are none.
  package let because: String?
}

/// One thing that is not as a case expects it.
package struct Difference: Sendable, Hashable {
  /// What was compared: `status`, `steps.storeSample`, `sent[2]`.
  package let what: String
  /// Nil when nothing of the kind was expected.
  package let expected: String?
  package let seen: String
  /// More about it: what differs in detail, or what to write.
  package let details: [String]

  package init(_ what: String, expected: String?, seen: String, details: [String] = []) {
    self.what = what
    self.expected = expected
    self.seen = seen
    self.details = details
  }
}

extension TestFile {
  /// Plays a case and compares what came of it.
  package func play(_ test: TestCase) -> CaseResult {
    let player = CasePlayer(workflow: workflow, test: test)
    return player.play()
  }
}

/// Plays one case.
struct CasePlayer {
  let workflow: WorkflowDefinition
  let test: TestCase

  func play() -> CaseResult {
    var saga = VirtualSaga(workflow, input: test.input)
    saga.by = "tests"
    test.prepare(&saga)
    var queue = SignalQueue(test.signals)
    saga.acts = queue.timed + test.requests.map { VirtualAct(after: $0.act.at, .operate($0.request)) }
    var book = AnswerBook(test: test)
    do {
      let run = try saga.run(people: { queue.acts(at: $0) }, participant: { book.answer($0) })
      if let missing = book.unanswered.first {
        return CaseResult(
          test: test, run: run, unanswered: book.unanswered, differences: [missing.difference])
      }
      let check = CaseCheck(test: test, definition: workflow, run: run)
      let differences =
        check.differences() + queue.differences(in: run) + requestDifferences(in: run) + crashDifferences(in: run)
        + itemDifferences(in: run)
      return CaseResult(test: test, run: run, unanswered: [], differences: differences)
    } catch {
      return CaseResult(test: test, run: nil, unanswered: book.unanswered, differences: differences(with: error))
    }
  }

  private func differences(with error: RehearsalError) -> [Difference] {
    if let expected = test.expected.refused, error.code != RehearsalErrorCode.budget {
      if expected == error.code { return [] }
      return [Difference("refused", expected: expected, seen: error.code, details: [error.message])]
    }
    return [Difference("the run", expected: nil, seen: error.code, details: [error.message])]
  }

  /// A crash that never happens shows that the saga takes another way than the author thinks.
  private func crashDifferences(in run: VirtualRun) -> [Difference] {
    guard run.restarts.count < test.crashes.count else { return [] }
    return [Difference("crashes", expected: "\(test.crashes.count)", seen: "\(run.restarts.count)")]
  }

  /// An answer for an item that the step does not have is never given: its key is misspelt, or the input has changed.
  private func itemDifferences(in run: VirtualRun) -> [Difference] {
    let steps = run.state.document["steps"]
    return test.answeredItems.compactMap { answered in
      guard let item = ItemID(answered.id), let items = steps?[item.step]?["items"]?.arrayValue,
        !items.contains(where: { $0["key"]?.stringValue == item.key })
      else { return nil }
      let keys = items.prefix(5).compactMap { $0["key"]?.stringValue }.joined(separator: ", ")
      return Difference(
        "\(answered.member).\(answered.id)", expected: "an item of the step \(item.step)",
        seen: "the step \(item.step) has no such item",
        details: ["its items: " + (keys.isEmpty ? "none" : keys + (items.count > 5 ? ", …" : ""))])
    }
  }

  private func requestDifferences(in run: VirtualRun) -> [Difference] {
    test.requests.enumerated().compactMap { index, item in
      let refusal = run.refusals.first { $0.command == .operate(item.request) }?.refusal
      return Difference.ofRefusal(
        "operators[\(index)]", "\(item.request.verb.name.rawValue)", expected: item.act.refused, refusal?.code,
        refusal?.message)
    }
  }
}

extension TestCase {
  /// Sets everything of the saga but its acts.
  func prepare(_ saga: inout VirtualSaga) {
    saga.key = key
    saga.tags = tags
    if let startAt { saga.startedAt = startAt }
    saga.crashes = crashes
    saga.keepsTombstones = keepsTombstones
    saga.turnsNever = turnsNever
  }

  /// The operators' requests. Each has an id, so that its refusal can be found.
  var requests: [(act: CaseAct, request: OperatorRequest)] {
    operators.enumerated().map { index, act in
      let given = act.request
      let by = OperatorAct(
        by: given.act.by, reason: given.act.reason, from: given.act.from, commandID: "request-\(index + 1)")
      return (act, OperatorRequest(given.verb, by: by, expectedVersion: given.expectedVersion))
    }
  }
}

extension Difference {
  /// Compares the refusal of an act with the one that is expected.
  /// - Returns: nil when both are the same.
  static func ofRefusal(
    _ what: String, _ name: String, expected: String?, _ code: String?, _ message: String?
  ) -> Difference? {
    guard expected != code else { return nil }
    return Difference(
      "\(what) (\(name))", expected: expected.map { "refused with \($0)" } ?? "taken",
      seen: code.map { "refused with \($0)" } ?? "taken", details: message.map { [$0] } ?? [])
  }
}

/// The signals of a case, and which of them have been sent.
struct SignalQueue {
  private let signals: [(signal: CaseSignal, given: SignalGiven)]
  private var sent: Set<Int> = []

  init(_ signals: [CaseSignal]) {
    // Each signal has a key, so that the saga's answer to it can be found.
    self.signals = signals.enumerated().map { index, signal in
      (
        signal,
        SignalGiven(
          name: signal.name, id: signal.key ?? "signal-\(index + 1)", body: signal.body, by: signal.by)
      )
    }
  }

  /// The signals that come at a time of their own.
  var timed: [VirtualAct] {
    signals.compactMap { item in
      if case .at(let time) = item.signal.time { VirtualAct(after: time, .signal(item.given)) } else { nil }
    }
  }

  /// Returns the signals that answer a wait: the next one of the name. When the saga must refuse it, the wait goes on,
  /// and the one after it comes too.
  mutating func acts(at wait: VirtualWait) -> [VirtualAct] {
    var acts: [VirtualAct] = []
    for (index, item) in signals.enumerated() {
      guard !sent.contains(index), item.signal.name.hasSameScalars(as: wait.signal),
        case .after(let time) = item.signal.time
      else { continue }
      sent.insert(index)
      acts.append(VirtualAct(after: time, .signal(item.given)))
      if item.signal.refused == nil { break }
    }
    return acts
  }

  func differences(in run: VirtualRun) -> [Difference] {
    signals.enumerated().compactMap { index, item in
      let what = "signals[\(index)]"
      if case .after = item.signal.time, !sent.contains(index) {
        return Difference(
          "\(what) (\(item.signal.name))", expected: "sent when a step waits for it",
          seen: "never sent: no step began to wait for it")
      }
      let thrown = run.refusals.first { $0.command == .give(item.given) }?.refusal
      var (code, message) = (thrown?.code, thrown?.message)
      if code == nil, case .refused(let refused, let words)? = run.state.known(item.given)?.fate {
        (code, message) = (refused, words)
      }
      return Difference.ofRefusal(what, item.signal.name, expected: item.signal.refused, code, message)
    }
  }
}
