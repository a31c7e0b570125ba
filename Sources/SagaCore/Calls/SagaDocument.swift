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
    var steps = JSONObject()
    for step in read.map({ self.steps[$0] }) {
      let key = IdempotencyKey.forward(saga: id, step: step.id, round: step.round)
      var members: JSONObject = ["status": .string(step.status.rawValue), "key": .string(key)]
      if reads.uuids { members["uuid"] = .string(UniqueID.derived(from: key).description) }
      if let problem = step.outputProblem {
        // `output` is absent: an expression that reads it fails with this error (`Expression.value`).
        members["outputError"] = ["code": .string(problem.code), "message": .string(problem.message)]
      } else if let output = step.output {
        members["output"] = output
      }
      if let failure = step.failure {
        members["error"] = ["code": .string(failure.code), "message": .string(failure.message)]
      }
      steps[step.id] = .object(members)
    }
    return [
      "input": start.input,
      "steps": .object(steps),
      "saga": [
        "id": .string(id.description),
        "workflow": .string(start.workflow),
        "version": .int(start.version),
        "startedAt": .string(startedAt.description),
      ],
    ]
  }
}

/// The keys by which participants recognise repeats.
public enum IdempotencyKey {
  /// `<saga>/<step>/<round>`, shared by all attempts of a round, before and after a crash.
  public static func forward(saga: UniqueID, step: String, round: Int) -> String { "\(saga)/\(step)/\(round)" }
  /// The forward key with `/undo`.
  public static func undo(saga: UniqueID, step: String, round: Int) -> String {
    forward(saga: saga, step: step, round: round) + "/undo"
  }
}
