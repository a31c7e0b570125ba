import JSON
import JSONSchema
import Workflows

// A schema refuses the input of a start, or the body of a signal.

extension WorkflowSchema {
  /// The value that a schema is about.
  enum Subject {
    case input(workflow: String, version: Int)
    case signal(String)
  }

  /// The most violations that a refusal's message tells.
  private static let mostTold = 5

  /// Checks a value.
  /// - Returns: the refusal, with every violation and its place; nil when the value meets the schema, or when the schema
  ///   is not enforced. And the steps that the check took.
  func refusal(of value: JSON, by subject: Subject) -> (refusal: Refusal?, steps: Int) {
    guard let compiled else { return (nil, 0) }
    let (what, code, whose): (String, String, String) =
      switch subject {
      case .input(let workflow, let version):
        ("input", EngineErrorCode.inputInvalid, "the schema of \(workflow) version \(version)")
      case .signal(let name): ("body", EngineErrorCode.signalInvalid, "the schema of the signal “\(name)”")
      }
    do {
      let verdict = try compiled.validate(value, as: "the \(what)")
      if verdict.isValid { return (nil, verdict.steps) }
      var told = verdict.violations.prefix(Self.mostTold).map { violation in
        // The sentence names only the last part of the place.
        violation.message + (violation.instance.tokens.count > 1 ? " (at \(violation.instance.shown))" : "")
      }
      let more = verdict.violations.count + verdict.omitted - told.count
      if more > 0 { told.append("and \(more) more") }
      let refusal = Refusal(
        code, "The \(what) doesn't meet \(whose): \(told.joined(separator: ". ")).", violations: verdict.violations,
        moreViolations: verdict.omitted)
      return (refusal, verdict.steps)
    } catch {
      return (
        Refusal(error.code, "The \(what) can't be checked against \(whose). \(error.message)"),
        SchemaBudget.standard.steps
      )
    }
  }
}

extension WorkflowDefinition {
  /// Returns the refusal of an input that doesn't meet the schema of the workflow. The places of its violations begin
  /// with `/input`.
  package func refusal(ofInput input: JSON) -> Refusal? {
    guard let inputSchema,
      let refusal = inputSchema.refusal(of: input, by: .input(workflow: name, version: version)).refusal
    else { return nil }
    let violations = refusal.violations.map {
      SchemaViolation(
        instance: JSONPointer.root.appending("input").appending($0.instance), keyword: $0.keyword, message: $0.message)
    }
    return Refusal(
      refusal.code, refusal.message, violations: violations, moreViolations: refusal.moreViolations)
  }
}

extension Refusal {
  /// Returns the refusal of a signal with the violations of the schema that refused its body. The history keeps only
  /// their words.
  package func withViolations(of signal: SignalGiven, _ definition: WorkflowDefinition) -> Refusal {
    guard code == EngineErrorCode.signalInvalid else { return self }
    // Several steps may wait for the name. The violations are those of the step whose words the message has, behind the
    // words about a repeat.
    for step in definition.steps {
      guard case .signal(let wait) = step.action, wait.name.hasSameScalars(as: signal.name), let schema = wait.schema,
        let refusal = schema.refusal(of: signal.body, by: .signal(wait.name)).refusal,
        message.hasSuffix(refusal.message)
      else { continue }
      return Refusal(
        code, message, violations: refusal.violations, moreViolations: refusal.moreViolations)
    }
    return self
  }
}
