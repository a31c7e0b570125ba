import Workflows

/// The words and signs of a step in a picture. The console has the same (`stepsOf` in `console/order.js`).
struct StepLabel {
  /// What a picture shows about a step beside its name and its action.
  enum Sign: String, CaseIterable {
    /// The step runs only when its condition holds.
    case when
    /// A compensation undoes the step.
    case undo
    /// The step waits for its turn of a key.
    case turn

    /// The words for a reader who does not see the picture.
    var words: String {
      switch self {
      case .when: "has a condition"
      case .undo: "can be undone"
      case .turn: "waits for its turn"
      }
    }
  }

  let id: String
  /// The service and the kind of a call, or what the engine does itself.
  let kind: String
  /// How often the step does its action, for a step with `forEach`: `for each library, 4 at once`.
  let repeats: String?
  /// The same as a whole phrase: `for each library (at most 4 at once)`.
  let repeatsInWords: String?
  let isPivot: Bool
  let signs: [Sign]
  /// What undoes the step when it is not a call: `signal taken-out`. Nil for a call, a task and a child that turns back.
  let undoneBy: String?
  let description: String?

  init(_ step: Step) {
    id = step.id
    kind =
      switch step.action {
      case .http(let http): "\(http.service) · \(step.poll == nil ? "http" : "poll")"
      case .kafka(let kafka): "\(kafka.service) · kafka"
      case .task(let task): "task \(task.queue)"
      case .workflow(let workflow): "\(workflow.name) · workflow"
      case .signal(let signal): "signal \(signal.name)"
      case .delay: "delay"
      case .fail(let fail): "fail \(fail.code)"
      case .group: "group"
      }
    repeats = step.forEach.map { "for each \($0.name), \($0.maxParallel) at once" }
    repeatsInWords = step.forEach?.words
    isPivot = step.pivot
    let isUndone = if case .undo = step.compensation { true } else { false }
    signs = Sign.allCases.filter { sign in
      switch sign {
      case .when: step.when != nil
      case .undo: isUndone
      case .turn: step.concurrency != nil
      }
    }
    undoneBy = (step.undoSignal.map { "signal \($0.name)" }) ?? step.undoWorkflow.map { "workflow \($0.name)" }
    description = step.description
  }

  /// The label for a reader who does not see the picture.
  var spoken: String {
    let parts = ["\(id): \(kind)", repeatsInWords, isPivot ? "pivot" : nil].compactMap { $0 } + signs.map(words)
    return parts.joined(separator: ", ")
  }

  private func words(of sign: Sign) -> String {
    switch sign {
    case .undo: undoneBy.map { "is undone by \($0)" } ?? sign.words
    case .when, .turn: sign.words
    }
  }
}

extension ForEach {
  /// What the step does, for people: `for each library (at most 4 at once)`.
  public var words: String { "for each \(name) (at most \(maxParallel) at once)" }
}
