import JSON
import Runtime
import Workflows

/// An action with its templates filled in: what an executor performs.
public enum RenderedAction: Sendable, Hashable {
  case http(RenderedHTTP)
  case kafka(RenderedKafka)
}

/// A header or a parameter with its value filled in.
public struct RenderedField: Sendable, Hashable {
  public let name: String
  public let value: String

  public init(name: String, value: String) {
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

/// A Kafka action with its templates filled in.
public struct RenderedKafka: Sendable, Hashable {
  /// A name from the server's configuration, never a topic.
  public let service: String
  public let command: String
  /// The workflow's own; what the engine sets comes besides.
  public let headers: [RenderedField]
  public let body: JSON?

  public init(service: String, command: String, headers: [RenderedField] = [], body: JSON? = nil) {
    self.service = service
    self.command = command
    self.headers = headers
    self.body = body
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
  /// How long the attempt may take, from the moment that it is sent.
  public let timeout: Duration
}

/// Fills in actions. Rendering reads the state alone, so it gives the same call before and after a restart.
enum CallRendering {
  /// For an action that bounds itself; the parser resolves a call's own.
  static let defaultTimeout = Duration.seconds(30)

  static func render(_ action: Action, in document: JSON) throws(ExpressionError) -> RenderedAction? {
    switch action {
    case .http(let http):
      .http(
        RenderedHTTP(
          service: http.service, method: http.method, path: try http.path.render(in: document, encoding: .pathSegment),
          headers: try fields(http.headers, .headerValue, in: document),
          query: try fields(http.query, .none, in: document), body: try http.body?.render(in: document),
          success: http.success))
    case .kafka(let kafka):
      .kafka(
        RenderedKafka(
          service: kafka.service, command: kafka.command,
          headers: try fields(kafka.headers, .headerValue, in: document), body: try kafka.body?.render(in: document)))
    case .signal, .delay:
      nil
    }
  }

  private static func fields(
    _ texts: [NamedText], _ encoding: TextTemplate.Encoding, in document: JSON
  ) throws(ExpressionError) -> [RenderedField] {
    var fields: [RenderedField] = []
    for text in texts {
      fields.append(RenderedField(name: text.name, value: try text.value.render(in: document, encoding: encoding)))
    }
    return fields
  }

  /// Why an action can't be rendered, or nil when it can.
  static func problem(with action: Action, in document: JSON) -> StepFailure? {
    do {
      _ = try render(action, in: document)
      return nil
    } catch {
      return StepFailure(code: error.code, message: error.message)
    }
  }
}
