import SagaCore

/// Gives each attempt to the executor of its kind.
public struct ActionExecutors: StepExecutor {
  private let http: any StepExecutor
  private let kafka: (any StepExecutor)?

  /// - Parameters:
  ///   - http: makes the attempts of `http` actions.
  ///   - kafka: makes the attempts of `kafka` actions. Nil on an engine without Kafka, where each attempt fails
  ///     cleanly.
  public init(http: any StepExecutor, kafka: (any StepExecutor)?) {
    self.http = http
    self.kafka = kafka
  }

  public func perform(_ call: StepCall) async -> StepOutcome {
    switch call.action {
    case .http: return await http.perform(call)
    case .kafka:
      guard let kafka else { return .failed(.kafkaNotConfigured) }
      return await kafka.perform(call)
    case .task:
      return .notSent(
        StepFailure(
          code: EngineErrorCode.historyImpossible, message: "A task is offered to workers; no executor sends it."))
    case .workflow: return .failed(.notOfAnExecutor)
    }
  }
}

extension StepFailure {
  /// The engine itself starts and undoes children.
  fileprivate static let notOfAnExecutor = StepFailure(
    code: EngineErrorCode.historyImpossible, message: "An executor got the start of a child, which the engine makes.")

  /// Nothing was sent. An operator can start the engine again with Kafka, and the step continues.
  package static let kafkaNotConfigured = StepFailure(
    code: EngineErrorCode.kafkaNotConfigured,
    message: "This engine has no Kafka; start it with --kafka BROKERS for steps that send commands over it.",
    isRetryable: true)
}
