import Values
import Wire

/// `saga show --calls`: each call of a saga, with what was sent and what was answered, in 80 columns.
struct CallLines {
  let style: Style
  private static let width = 80
  private static let margin = 12

  func lines(of call: CallsResponse.Call) -> [String] {
    let name = Layout.clip(call.step, to: 30) + (call.phase == "undo" ? ", undo" : "")
    var words = [call.attempt.map { "attempt \($0)" }, call.look.map { "look \($0)" }].compactMap { $0 }
    if call.round > 1 { words.append("round \(call.round)") }
    let head = "\(TimeText.full(call.at))  \(style.bold(name)), \(words.joined(separator: ", "))"
    let (word, colour, more) = Self.outcome(of: call)
    let took = call.endedAt.map { " after \(TimeText.duration($0 - call.at))" } ?? ""
    return [head, "  " + style.colour(word, colour) + took + more] + sent(call) + answered(call) + [""]
  }

  private static func outcome(
    of call: CallsResponse.Call
  ) -> (word: String, colour: Style.Colour?, more: String) {
    switch call.outcome {
    case "succeeded": ("succeeded", .green, "")
    case "answered": ("answered", nil, "; the step asks again")
    case "failed": ("failed", .red, "")
    case "unknown": ("failed", .red, "; it may have happened")
    case "notSent": ("not sent", .yellow, "")
    case let other?: (other, nil, "")
    case nil: ("under way", nil, "")
    }
  }

  private func sent(_ call: CallsResponse.Call) -> [String] {
    guard let sent = call.sent else {
      let isOver = call.endedAt != nil
      return part("sent", [isOver ? "nothing: the attempt ended before the call was made" : "nothing yet"])
    }
    let what =
      sent.kind == "workflow"
      ? "the request to the child saga of \(sent.service ?? "")"
      : sent.kind == "kafka"
        ? "the command \(sent.command ?? "") to \(sent.service ?? "")"
        : sent.kind == "task"
          ? "a task for a worker of queue \(sent.queue ?? "")"
          : "\(sent.method ?? "") \(sent.path ?? "") to \(sent.service ?? "")"
    return part("sent", [what, "key \(sent.key)"] + text(of: sent.body))
  }

  private func answered(_ call: CallsResponse.Call) -> [String] {
    let error = call.error.map { "\($0.message) [\($0.code)]" }
    guard let answered = call.answered else {
      return part("answered", [call.endedAt == nil ? "not yet" : "nothing" + (error.map { ": \($0)" } ?? "")])
    }
    let headers = answered.headers.map { "\($0.name): \($0.value)" }
    let lines = [answered.status.map { "\($0)" }, error].compactMap { $0 }
    return part("answered", lines + headers + text(of: answered.body))
  }

  private func text(of body: CallsResponse.Body?) -> [String] {
    guard let body else { return [] }
    return body.cut ? [body.text, "… (the rest of the body is not shown)"] : [body.text]
  }

  /// Draws lines behind a name; long lines are wrapped.
  private func part(_ name: String, _ lines: [String]) -> [String] {
    let wrapped = lines.flatMap { Layout.wrap($0, width: Self.width - Self.margin) }
    return wrapped.enumerated().map { index, line in
      let label = Layout.pad(index == 0 ? "  " + name : "", to: Self.margin)
      return Layout.trimmingEnd(style.dim(label) + line)
    }
  }
}
