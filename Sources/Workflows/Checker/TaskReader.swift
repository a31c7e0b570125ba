import JSON
import Values

extension ActionReader {
  mutating func task(_ json: JSON, at pointer: JSONPointer) -> TaskAction? {
    let what = "a task"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["queue", "input", "heartbeatTimeout"], meant: Meant.task, report: report)
    else { return nil }
    let queue = reader.name("queue", of: what)
    let input = reader.members["input"].flatMap { template($0, at: reader.pointer(to: "input")) }
    let heartbeatTimeout = reader.duration("heartbeatTimeout")
    if let heartbeatTimeout, heartbeatTimeout < TaskAction.shortestHeartbeatTimeout {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"heartbeatTimeout\" is \(DurationText.format(heartbeatTimeout)); a worker has at least "
          + "\(DurationText.format(TaskAction.shortestHeartbeatTimeout)) for a heartbeat",
        at: reader.pointer(to: "heartbeatTimeout"))
    }
    return queue.map {
      TaskAction(
        queue: $0, input: input, heartbeatTimeout: heartbeatTimeout ?? TaskAction.defaultHeartbeatTimeout)
    }
  }

  /// Reports a heartbeat timeout that is longer than the whole wait.
  /// - Parameters:
  ///   - owner: the step or the compensation that has the task.
  ///   - timeout: the timeout of the whole wait that the file sets; nil when it sets none.
  func checkHeartbeat(of owner: ObjectReader, within timeout: Duration?) {
    guard let timeout, let text = owner.members["task"]?["heartbeatTimeout"]?.stringValue,
      case .success(let heartbeatTimeout) = DurationText.read(text), heartbeatTimeout > timeout
    else { return }
    report.rule(
      WorkflowErrorCode.badValue,
      "\"heartbeatTimeout\" is \(text), longer than the whole task may take (\"timeout\": "
        + "\(DurationText.format(timeout)))", at: owner.pointer(to: "task").appending("heartbeatTimeout"))
  }
}
