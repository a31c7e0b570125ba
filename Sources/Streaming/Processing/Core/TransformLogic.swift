/// Makes of each event what its handler says. It keeps nothing.
struct TransformLogic: Sendable {
  let name: String
  let type: String
  let plan: TransformPlan

  init(_ plan: TransformPlan, name: String, type: String) {
    self.plan = plan
    self.name = name
    self.type = type
  }

  /// Outputs are named after the event and their place among its outputs, so that a repeat gives the same ids.
  func take(_ event: StreamEvent) throws(StreamRefusal) -> [StreamOutput] {
    let made = try plan.handler(event)
    return made.enumerated().map { index, one in
      StreamOutput(
        id: StreamOutput.id(name, event.identity, "\(index)"), type: type, key: one.key ?? event.key, time: event.time,
        data: one.data)
    }
  }
}
