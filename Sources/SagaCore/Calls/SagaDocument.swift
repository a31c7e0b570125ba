import JSON
import Values
import Workflows

extension SagaState {
  /// Returns the document that one step's templates read. If an operator gave the step an input, the document has it.
  /// - Parameter reads: the steps that the templates read. The document contains no other steps.
  package func document(for step: StepState, reading reads: StepReads = .all) -> JSON {
    guard step.input != nil || step.item != nil, case .object(var members) = document(reading: reads, for: step.item)
    else { return document(reading: reads) }
    if let input = step.input { members["input"] = opener.opened(input) }
    guard let item = step.item, let values = items(of: item.step)?.values, item.number < values.count else {
      return .object(members)
    }
    return JSON.object(members).with(values.values[item.number], named: values.name, index: item.number)
  }

  /// The document that a workflow's queries read (`docs/workflow-language.md`).
  public var document: JSON { document(reading: .all) }

  /// Returns the document with only these steps.
  /// - Parameter item: the item that reads. The step that has it looks to it as a step with the members of the item.
  package func document(reading reads: StepReads, for item: StepState.Item? = nil) -> JSON {
    // The steps that are read are found by name, because a saga may have thousands of others.
    let read = reads.steps.map { ids in ids.compactMap { index(of: $0) }.sorted() } ?? Array(steps.indices)
    let senders = read.contains { self.steps[$0].awaitedSignal != nil } ? signalSenders : [:]
    var steps = JSONObject()
    for index in read {
      let id = self.steps[index].id
      var step = self.steps[index]
      var items: ItemStates?
      if let item, item.step == id {
        if let state = self.steps.items(of: index), item.number < state.begun { step = state[item.number] }
      } else {
        items = self.steps.items(of: index)
      }
      var members = JSONObject()
      for member in StepMember.allCases where member != .uuid || reads.uuids {
        if let items {
          guard StepMember.ofForEach.contains(member) else { continue }
          if member == .items, reads.items { members[member.rawValue] = value(of: items) }
        }
        if member != .items { members[member.rawValue] = value(of: member, step, senders) }
      }
      steps[id] = .object(members)
    }
    var saga = JSONObject()
    for member in SagaMember.allCases { saga[member.rawValue] = value(of: member) }
    return ["input": opener.input(start.input), "steps": opener.opened(.object(steps)), "saga": .object(saga)]
  }

  /// Returns `steps.ID.items`.
  private func value(of items: ItemStates) -> JSON {
    .array(
      (0..<items.count).map { number in
        var members = JSONObject()
        members["item"] = items.values?.values[number]
        guard number < items.begun else {
          members["key"] = items.values.map { .string($0.keys[number]) }
          members["status"] = .word(StepStatus.pending)
          return .object(members)
        }
        let item = items[number]
        members["key"] = .string(item.item?.key ?? "")
        members["status"] = .word(item.status)
        for member in [StepMember.output, .outputError, .error] {
          members[member.rawValue] = value(of: member, item, [:])
        }
        return .object(members)
      })
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
    case .items: return nil
    }
  }

  private func value(of member: SagaMember) -> JSON? {
    switch member {
    case .id: .string(id.description)
    case .key: start.idempotencyKey.map(JSON.string)
    case .tags: .strings(start.tags)
    case .workflow: .string(start.workflow)
    case .version: .int(definition.version)
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
  /// `<saga>/<step>/<round>`, or `<saga>/<step>/<item>/<round>`. It is shared by all attempts of a round, before and after
  /// a crash.
  /// - Parameter step: the id of a step or of an item. A `/` in an item's key is written as `%2F`.
  public static func forward(saga: UniqueID, step: String, round: Int) -> String {
    guard let item = ItemID(step) else { return "\(saga)/\(step)/\(round)" }
    return "\(saga)/\(item.step)/\(item.key.replacing("/", with: "%2F"))/\(round)"
  }
  /// The forward key with `/look/` and the number of the look. Each look of a poll asks again: under one key a participant
  /// would repeat its first answer.
  public static func look(saga: UniqueID, step: String, round: Int, number: Int) -> String {
    forward(saga: saga, step: step, round: round) + "/look/\(number)"
  }
  /// The parts of a forward key, or of the key of an undo.
  public struct Parts: Sendable, Hashable {
    public let saga: UniqueID
    /// The id of a step or of an item.
    public let step: String
    public let round: Int
    public let phase: StepPhase

    /// Nil for a text of another form.
    public init?(_ key: String) {
      var parts = key.split(separator: "/", omittingEmptySubsequences: false)
      // `<saga>/<step>/undo/<round>` is of the item “undo”.
      if parts.count > 4, parts[parts.count - 2] == "undo", let number = Int(parts[parts.count - 1]), number > 1 {
        parts.removeLast()
      }
      phase = parts.last == "undo" ? .undo : .forward
      if phase == .undo { parts.removeLast() }
      guard parts.count == 3 || parts.count == 4, let saga = UniqueID(String(parts[0])),
        let round = parts.last.flatMap({ Int($0) }), round >= 1
      else { return nil }
      self.saga = saga
      self.round = round
      let step = String(parts[1])
      self.step = parts.count == 3 ? step : ItemID(step: step, key: String(parts[2]).replacing("%2F", with: "/")).text
    }
  }

  /// The forward key with `/undo`. An undo that starts another child, because the one before was compensated, adds the
  /// number of the child: `/undo/2`.
  /// - Parameter child: the number of the child among those of the undo, from 1.
  public static func undo(saga: UniqueID, step: String, round: Int, child: Int = 1) -> String {
    forward(saga: saga, step: step, round: round) + (child == 1 ? "/undo" : "/undo/\(child)")
  }
}
