import Workflows

// How much one decision may compute. Each evaluation has a budget of its own (`Budget.standard`); a saga with a thousand
// expensive steps would still compute for minutes. So a decision that has used up its share begins no further step, and
// says that it is unfinished: what it decided is stored, whoever waits gets a turn, and the next decision goes on.
extension Decider {
  /// The number of steps after which a decision begins nothing more: one evaluation that fails takes no more than that.
  static let share = Budget.standard.steps

  /// Whether the decision has used up its share. Asking marks it as unfinished.
  var isSpent: Bool {
    mutating get {
      guard computed >= Self.share else { return false }
      isUnfinished = true
      return true
    }
  }

  /// Evaluates something with a meter of its own, and adds what it took to what the decision has computed.
  mutating func measured<Result, Failure: Error>(_ body: (Meter) throws(Failure) -> Result) throws(Failure) -> Result {
    let meter = Meter()
    defer { computed += meter.stepsUsed }
    return try body(meter)
  }

  /// Why an action of a step can't be rendered, or nil when it can.
  mutating func problem(with action: Action, of step: StepState) -> StepFailure? {
    let document = state.document(for: step, reading: action.reads)
    return measured { CallRendering.problem(with: action, in: document, meter: $0) }
  }
}
