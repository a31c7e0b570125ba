import JSON
import Values
import Workflows

extension SagaState {
  /// Returns the document that one step's templates read. If an operator gave the step an input, the document has it.
  /// - Parameter reads: the steps that the templates read. The document contains no other steps.
  package func document(for step: StepState, reading reads: StepReads = .all) -> JSON {
    let document = document(reading: reads)
    guard let input = step.input, case .object(var members) = document else { return document }
    members["input"] = input
    return .object(members)
  }

  /// The document that a workflow's queries read (`docs/workflow-language.md`).
  public var document: JSON { document(reading: .all) }

  /// Returns the document with only these steps.
  package func document(reading reads: StepReads) -> JSON {
    // The steps that are read are found by name, because a saga may have thousands of others.
    let read = reads.steps.map { $0.compactMap(index(of:)).sorted() } ?? Array(steps.indices)
    let senders = read.contains { self.steps[$0].awaitedSignal != nil } ? signalSenders : [:]
    var steps = JSONObject()
    for step in read.map({ self.steps[$0] }) {
      var members = JSONObject()
      for member in StepMember.allCases where member != .uuid || reads.uuids {
        members[member.rawValue] = value(of: member, step, senders)
      }
      steps[step.id] = .object(members)
    }
    var saga = JSONObject()
    for member in SagaMember.allCases { saga[member.rawValue] = value(of: member) }
    return ["input": start.input, "steps": .object(steps), "saga": .object(saga)]
  }

  /// Returns a member of `steps.ID`; nil when the step doesn't have it.
  private func value(
    of member: StepMember, _ step: StepState, _ senders: [ReceivedSignal.Wait: String]
  ) -> JSON? {
    func shown(_ failure: StepFailure) -> JSON {
      ["code": .string(failure.code), "message": .string(failure.message)]
    }
    var key: String { IdempotencyKey.forward(saga: id, step: step.id, round: step.round) }
    switch member {
    // An expression that reads an output which can't be read fails with this error (`Expression.value`).
    case .outputError: return step.outputProblem.map(shown)
    case .output: return step.outputProblem == nil ? step.output : nil
    case .error: return step.failure.map(shown)
    case .answer: return step.answer?.document
    case .status: return .word(step.status)
    case .outcome: return .word(step.outcome)
    case .by: return senders[ReceivedSignal.Wait(step: step.id, round: step.round)].map(JSON.string)
    case .startedAt: return step.startedAt.map { .string($0.description) }
    case .endedAt: return step.endedAt.map { .string($0.description) }
    case .key: return .string(key)
    case .uuid: return .string(UniqueID.derived(from: key).description)
    }
  }

  private func value(of member: SagaMember) -> JSON? {
    switch member {
    case .id: .string(id.description)
    case .key: start.idempotencyKey.map(JSON.string)
    case .tags: .strings(start.tags)
    case .workflow: .string(start.workflow)
    case .version: .int(start.version)
    case .startedAt: .string(startedAt.description)
    case .startedBy: .string(start.by)
    }
  }

  /// The senders of the signals that steps have taken.
  private var signalSenders: [ReceivedSignal.Wait: String] {
    var senders: [ReceivedSignal.Wait: String] = [:]
    for signal in signals {
      guard case .taken(let waits) = signal.fate else { continue }
      for wait in waits { senders[wait] = signal.by }
    }
    return senders
  }
}

/// The keys by which participants recognise repeats.
public enum IdempotencyKey {
  /// `<saga>/<step>/<round>`, shared by all attempts of a round, before and after a crash.
  public static func forward(saga: UniqueID, step: String, round: Int) -> String { "\(saga)/\(step)/\(round)" }
  /// The forward key with `/look/` and the number of the look. Each look of a poll asks again: under one key a participant
  /// would repeat its first answer.
  public static func look(saga: UniqueID, step: String, round: Int, number: Int) -> String {
    forward(saga: saga, step: step, round: round) + "/look/\(number)"
  }
  /// The forward key with `/undo`.
  public static func undo(saga: UniqueID, step: String, round: Int) -> String {
    forward(saga: saga, step: step, round: round) + "/undo"
  }
}
