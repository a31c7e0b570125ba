import SagaCore

// Runs of one saga under different plans share their beginning. A run asks its plan about each call, wait and turn when it
// comes there. Until the first question that another plan answers otherwise, both runs are the same. So the second run
// goes on from there and does not play the beginning again.

/// What a run asks its plan. Steps and items are named by their ids.
enum VirtualQuestion: Sendable, Hashable {
  /// What the participant does with calls of a step.
  case call(step: String, StepPhase)
  /// Which signals come when a step, or its undo, waits.
  case wait(step: String, StepPhase)
  /// Whether the turn of a step comes; an empty id for the turn of the saga itself.
  case turn(step: String)
}

/// The questions of a run, with the stages from which other runs can go on.
struct VirtualRecord: Sendable {
  /// Copies of the stage, each from before its questions are asked.
  private var stages: [VirtualStage] = []
  /// The questions in the order in which they were asked first. `stage` is the index of the last stage before; nil when
  /// only the start comes before.
  private var asked: [(question: VirtualQuestion, stage: Int?)] = []
  private var known: Set<VirtualQuestion> = []

  /// Returns the place before the first question that matches; nil when the run asks no such question.
  func fork(before matches: (VirtualQuestion) -> Bool) -> VirtualFork? {
    guard let first = asked.first(where: { matches($0.question) }) else { return nil }
    guard let index = first.stage else { return VirtualFork(stage: nil, record: VirtualRecord()) }
    var record = VirtualRecord()
    record.stages = Array(stages[..<index])
    record.asked = asked.filter { $0.stage.map { $0 < index } ?? true }
    record.known = Set(record.asked.map(\.question))
    return VirtualFork(stage: stages[index], record: record)
  }

  /// Keeps a copy of the stage when it is about to ask something for the first time.
  mutating func keep(_ stage: VirtualStage) {
    if stage.nextQuestions.contains(where: { !known.contains($0) }) { stages.append(stage) }
  }

  mutating func note(_ questions: [VirtualQuestion]) {
    for question in questions where known.insert(question).inserted {
      asked.append((question, stages.isEmpty ? nil : stages.count - 1))
    }
  }
}

/// The place in a recorded run from which another run goes on.
struct VirtualFork: Sendable {
  /// Nil for the start.
  let stage: VirtualStage?
  /// The record up to this place.
  let record: VirtualRecord
}
