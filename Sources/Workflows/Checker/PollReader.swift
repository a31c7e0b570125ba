import JSON
import Values

extension ActionReader {
  /// Reads the `poll` of a step.
  /// - Parameter lookTimeout: the timeout of one look.
  mutating func poll(in step: ObjectReader, lookTimeout: Duration) -> Poll? {
    guard let json = step.members["poll"] else { return nil }
    let pointer = step.pointer(to: "poll")
    if !step.has("http"), let kind = Self.kinds.first(where: step.has) {
      report.error(
        WorkflowErrorCode.badValue, "only an \"http\" step polls, not a \(kind) step: \(Self.instead(of: kind))",
        at: pointer, .name)
      return nil
    }
    let what = "a poll"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["every", "until", "failWhen"], meant: Meant.poll, report: report)
    else { return nil }
    for name in ["every", "until"] where !reader.has(name) { reader.missing(name, of: what) }
    let every = reader.duration("every")
    if let every, every < Poll.shortest {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"every\" is \(DurationText.format(every)); a poll looks once in \(DurationText.format(Poll.shortest)) at most",
        at: reader.pointer(to: "every"))
    }
    let until = condition("until", in: reader, role: .poll)
    let failWhen = condition("failWhen", in: reader, role: .poll)
    guard let every, let until else { return nil }
    return Poll(every: every, until: until, failWhen: failWhen, lookTimeout: lookTimeout)
  }

  private static func instead(of kind: String) -> String {
    switch kind {
    case "kafka": "a service answers a command by itself"
    case "task": "its worker answers when the work is done"
    case "workflow": "its step waits until the child has ended"
    case "signal": "the signal comes by itself"
    default: "it calls no service"
    }
  }
}
