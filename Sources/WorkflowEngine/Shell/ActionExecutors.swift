import SagaCore

/// Hands each attempt to the executor of its kind.
public struct ActionExecutors: StepExecutor {
  private let http: any StepExecutor
  private let kafka: (any StepExecutor)?

  /// - Parameters:
  ///   - http: makes the attempts of `http` actions.
  ///   - kafka: makes those of `kafka` actions; nil on an engine without Kafka, where each fails cleanly.
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
    }
  }
}

extension StepFailure {
  /// Nothing was sent: an operator can start the engine again with what it lacks, and the step goes on.
  static let kafkaNotConfigured = StepFailure(
    code: EngineErrorCode.kafkaNotConfigured,
    message: "This engine has no Kafka; start it with --kafka BROKERS for steps that send commands over it.",
    isRetryable: true)
}
