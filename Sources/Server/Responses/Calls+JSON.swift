import SagaCore
import Values
import Wire
import WorkflowEngine
import Workflows

extension CallsResponse {
  init(_ page: CallPage, next: String?) {
    self.init(calls: page.calls.map { Call($0) }, next: next)
  }
}

extension CallsResponse.Call {
  fileprivate init(_ call: PastCall) {
    let end = call.end
    self.init(
      step: call.step, phase: call.phase.rawValue, round: call.round, attempt: call.attempt, look: call.look,
      at: call.at, endedAt: end?.at, outcome: end?.outcome.rawValue, sent: call.sent.map { .init($0) },
      answered: end.flatMap { .init($0) },
      error: end?.failure.map { .init(code: $0.code, message: $0.message, outcome: nil) })
  }
}

extension CallsResponse.Sent {
  fileprivate init(_ call: StepCall) {
    switch call.action {
    case .http(let http):
      self.init(
        kind: "http", service: http.service, method: http.method,
        path: CallsResponse.bounded(
          http.target {
            Secrets.isSecret($0.name) ? Secrets.mask : PercentEncoding.segment(Secrets.masked(text: $0.value))
          }),
        key: call.idempotencyKey, headers: call.fields(of: http).map { .init($0) },
        body: http.body.flatMap { CallExcerpt(of: $0) }.map { .init($0) })
    case .kafka(let kafka):
      self.init(
        kind: "kafka", service: kafka.service, command: kafka.command, key: call.idempotencyKey,
        headers: call.fields(of: kafka).map { .init($0) },
        body: kafka.body.flatMap { CallExcerpt(of: $0) }.map { .init($0) })
    case .task(let task):
      self.init(
        kind: "task", queue: task.queue, key: call.idempotencyKey, headers: [],
        body: CallExcerpt(of: task.input).map { .init($0) })
    case .workflow(let workflow):
      // A child that turns back gets no input.
      self.init(
        kind: "workflow", service: workflow.name, key: call.idempotencyKey, headers: [],
        body: workflow.turnsBack ? nil : CallExcerpt(of: workflow.input).map { .init($0) })
    }
  }
}

extension CallsResponse.Answered {
  /// Nil when no answer came, and when the history has nothing of it.
  fileprivate init?(_ end: PastCall.End) {
    let output = end.output.flatMap { CallExcerpt(of: $0) }
    guard end.answer != nil || end.output != nil else { return nil }
    self.init(
      status: end.answer?.status,
      headers: (end.answer?.headers ?? [:]).sorted { $0.key < $1.key }.map { .init(name: $0.key, value: $0.value) },
      body: (end.answer?.excerpt ?? output).map { .init($0) })
  }
}

extension CallsResponse.Field {
  fileprivate init(_ field: RenderedField) {
    self.init(name: field.name, value: CallsResponse.bounded(Secrets.masked(field.value, named: field.name)))
  }
}

extension CallsResponse.Body {
  fileprivate init(_ excerpt: CallExcerpt) { self.init(text: excerpt.text, cut: excerpt.isCut) }
}

extension CallsResponse {
  /// Returns a path or the value of a header. One of more than 2,048 characters is cut, and ends in `…`.
  fileprivate static func bounded(_ text: String) -> String {
    guard text.unicodeScalars.count > CallExcerpt.longest else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.prefix(CallExcerpt.longest))) + "…"
  }
}
