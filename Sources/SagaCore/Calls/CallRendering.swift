import JSON
import Values
import Workflows

/// An action with its templates filled in: what an executor performs.
public enum RenderedAction: Sendable, Hashable {
  case http(RenderedHTTP)
  case kafka(RenderedKafka)
  case task(RenderedTask)
  case workflow(RenderedWorkflow)
}

/// A header or a parameter with its value filled in.
public struct RenderedField: Sendable, Hashable {
  public let name: String
  public let value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// An HTTP action with its templates filled in.
public struct RenderedHTTP: Sendable, Hashable {
  public let service: String
  public let method: String
  /// Percent-encoded, with a leading slash.
  public let path: String
  public let headers: [RenderedField]
  /// Not encoded.
  public let query: [RenderedField]
  public let body: JSON?
  /// The status codes that mean success.
  public let success: [ClosedRange<Int>]
}

extension RenderedHTTP {
  /// Returns the path with its query, percent-encoded.
  /// - Parameter encoded: returns the encoded value of a parameter; for people to see, without secrets.
  package func target(_ encoded: (RenderedField) -> String = { PercentEncoding.segment($0.value) }) -> String {
    guard !query.isEmpty else { return path }
    let items = query.map { "\(PercentEncoding.segment($0.name))=\(encoded($0))" }
    return path + "?" + items.joined(separator: "&")
  }
}

/// A Kafka action with its templates filled in.
public struct RenderedKafka: Sendable, Hashable {
  /// A name from the server's configuration, never a topic.
  public let service: String
  public let command: String
  /// The workflow's own headers. The engine adds its headers.
  public let headers: [RenderedField]
  public let body: JSON?

  public init(service: String, command: String, headers: [RenderedField] = [], body: JSON? = nil) {
    self.service = service
    self.command = command
    self.headers = headers
    self.body = body
  }
}

/// A task with its templates filled in.
public struct RenderedTask: Sendable, Hashable {
  public let queue: String
  /// Null when the workflow has none.
  public let input: JSON
  /// The time after which a worker that sends no heartbeat has lost the task.
  public let heartbeatTimeout: Duration

  public init(
    queue: String, input: JSON = .null, heartbeatTimeout: Duration = TaskAction.defaultHeartbeatTimeout
  ) {
    self.queue = queue
    self.input = input
    self.heartbeatTimeout = heartbeatTimeout
  }
}

/// A child to start, or to turn back.
public struct RenderedWorkflow: Sendable, Hashable {
  public let name: String
  /// The version of the workflow; nil for the latest.
  public let version: Int?
  public let input: JSON
  /// The start key of the child; nil for none.
  public let key: String?
  /// Whether the child that the step has started turns back.
  public let turnsBack: Bool

  public init(name: String, version: Int? = nil, input: JSON = [:], key: String? = nil, turnsBack: Bool = false) {
    self.name = name
    self.version = version
    self.input = input
    self.key = key
    self.turnsBack = turnsBack
  }

  /// Returns the action of an undo.
  /// - Parameter number: the number of the child among those that the undo has started, from 1. A start key starts one saga,
  ///   so each child from the second on has a key of its own.
  func ofUndo(turnsBack: Bool, number: Int) -> RenderedWorkflow {
    RenderedWorkflow(
      name: name, version: version, input: input, key: number == 1 ? key : key.map { "\($0)/\(number)" },
      turnsBack: turnsBack)
  }
}

/// One attempt, as its executor gets it.
public struct StepCall: Sendable, Hashable {
  public let saga: UniqueID
  public let workflow: String
  public let step: String
  public let phase: StepPhase
  /// All attempts of a round share its idempotency key.
  public let round: Int
  public let attempt: Int
  public let action: RenderedAction
  public let idempotencyKey: String
  /// The forward key that an undo undoes.
  public let compensates: String?
  /// How long the attempt may take, from the time that it is sent.
  public let timeout: Duration
  /// Set for a look of a poll. Its executor reports the whole answer.
  public var look: Look?

  /// Returns the command that reports the end of the call to its saga.
  public func report(_ outcome: StepOutcome) -> SagaCommand {
    if case .unrecorded(let number, let time)? = look {
      return .looked(LookReport(step: step, round: round, number: number, at: time, outcome: outcome))
    }
    return .attemptSettled(step: step, phase: phase, round: round, attempt: attempt, outcome: outcome)
  }
}

/// Fills in actions. Rendering reads the state alone, so it gives the same call before and after a restart.
package enum CallRendering {
  /// The timeout of an action that has none. The parser resolves the timeout of a call.
  package static let defaultTimeout = Duration.seconds(30)

  /// All templates of an action share one budget.
  package static func render(
    _ action: Action, in document: JSON, meter: Meter = Meter()
  ) throws(ExpressionError) -> RenderedAction? {
    switch action {
    case .http(let http):
      .http(
        RenderedHTTP(
          service: http.service, method: http.method, path: try path(http.path, in: document, meter),
          headers: try fields(http.headers, .headerValue, in: document, meter),
          query: try fields(http.query, .none, in: document, meter),
          body: try http.body?.render(in: document, meter: meter),
          success: http.success))
    case .kafka(let kafka):
      .kafka(
        RenderedKafka(
          service: kafka.service, command: kafka.command,
          headers: try fields(kafka.headers, .headerValue, in: document, meter),
          body: try kafka.body?.render(in: document, meter: meter)))
    case .task(let task):
      .task(
        RenderedTask(
          queue: task.queue, input: try task.input?.render(in: document, meter: meter) ?? .null,
          heartbeatTimeout: task.heartbeatTimeout))
    case .workflow(let workflow):
      .workflow(
        RenderedWorkflow(
          name: workflow.name, version: workflow.version,
          input: try workflow.input?.render(in: document, meter: meter) ?? [:],
          key: try workflow.key.map { key throws(ExpressionError) in
            try bounded(try key.renderRequired(in: document, meter: meter), "the key", key)
          }))
    case .signal, .delay, .fail, .group:
      nil
    }
  }

  /// The most bytes of a path, and of one header or parameter: no server takes longer ones.
  package static let longestText = 64 << 10

  private static func path(
    _ path: TextTemplate, in document: JSON, _ meter: Meter
  ) throws(ExpressionError) -> String {
    try bounded(try path.renderRequired(in: document, encoding: .pathSegment, meter: meter), "the path", path)
  }

  private static func fields(
    _ texts: [NamedText], _ encoding: TextTemplate.Encoding, in document: JSON, _ meter: Meter
  ) throws(ExpressionError) -> [RenderedField] {
    var fields: [RenderedField] = []
    for text in texts {
      guard let value = try text.value.render(in: document, encoding: encoding, meter: meter) else { continue }
      fields.append(RenderedField(name: text.name, value: try bounded(value, "“\(text.name)”", text.value)))
    }
    return fields
  }

  private static func bounded(
    _ text: String, _ what: String, _ template: TextTemplate
  ) throws(ExpressionError) -> String {
    guard text.utf8.count > longestText else { return text }
    throw ExpressionError(
      code: WorkflowErrorCode.renderingTooLarge,
      message: "\(what) comes out with \(text.utf8.count) bytes; at most \(longestText) are allowed",
      query: template.source)
  }

  /// Why an action can't be rendered, or nil when it can.
  static func problem(with action: Action, in document: JSON, meter: Meter = Meter()) -> StepFailure? {
    do {
      _ = try render(action, in: document, meter: meter)
      return nil
    } catch {
      return StepFailure(code: error.code, message: error.message)
    }
  }
}
