/// Makes outputs from each event with the plan's handler. It has no state.
struct TransformLogic: Sendable {
  let name: String
  let type: String
  let plan: TransformPlan

  init(_ plan: TransformPlan, name: String, type: String) {
    self.plan = plan
    self.name = name
    self.type = type
  }

  /// Returns the outputs of an event. Their ids are derived from the event and their number, so a repeat has the same ids.
  func take(_ event: StreamEvent) throws(StreamRefusal) -> [StreamOutput] {
    let made = try plan.handler(event)
    return made.enumerated().map { index, one in
      StreamOutput(
        id: StreamOutput.id(name, event.identity, "\(index)"), type: type, key: one.key ?? event.key, time: event.time,
        data: one.data)
    }
  }
}
