import SagaCore
import Values

// The headers of a call, in one place for the executors, which send them, and for people, who see them.
extension StepCall {
  /// Returns the headers of a call over HTTP, in their order.
  package func fields(of action: RenderedHTTP) -> [RenderedField] {
    var fields = action.headers
    fields.append(RenderedField(name: "Accept", value: "application/json"))
    fields.append(RenderedField(name: "Idempotency-Key", value: idempotencyKey))
    if let compensates { fields.append(RenderedField(name: "Compensates", value: compensates)) }
    fields.append(RenderedField(name: "Saga-Id", value: saga.description))
    fields.append(RenderedField(name: "traceparent", value: traceparent))
    if action.body != nil { fields.append(RenderedField(name: "Content-Type", value: "application/json")) }
    return fields
  }

  /// Returns the headers of a command over Kafka, in their order, without those of its CloudEvent and the reply topic.
  package func fields(of action: RenderedKafka) -> [RenderedField] {
    var fields = [
      RenderedField(name: "idempotency-key", value: idempotencyKey),
      RenderedField(name: "saga-id", value: saga.description),
      RenderedField(name: "saga-step", value: step), RenderedField(name: "saga-attempt", value: "\(attempt)"),
      RenderedField(name: "traceparent", value: traceparent),
    ]
    if let compensates { fields.append(RenderedField(name: "compensates", value: compensates)) }
    return fields + action.headers
  }
}
