import JSON

/// What a step does.
public enum Action: Sendable, Hashable {
  case http(HTTPAction)
  case kafka(KafkaAction)
  case signal(SignalAction)
  case delay(DelayAction)

  /// The word that the file uses for it.
  public var kind: String {
    switch self {
    case .http: "http"
    case .kafka: "kafka"
    case .signal: "signal"
    case .delay: "delay"
    }
  }

  /// Whether it is done by attempts, which may be repeated; else it waits, and has one end.
  public var isAttempted: Bool {
    switch self {
    case .http, .kafka: true
    case .signal, .delay: false
    }
  }
}

/// Calls a service.
public struct HTTPAction: Sendable, Hashable {
  /// A name from the server's configuration, never an address.
  public let service: String
  /// In capitals.
  public let method: String
  public let path: TextTemplate
  public let headers: [NamedText]
  public let query: [NamedText]
  public let body: Template?
  /// The status codes that are a success.
  public let success: [ClosedRange<Int>]

  public static let defaultSuccess: [ClosedRange<Int>] = [200...299]

  public init(
    service: String, method: String, path: TextTemplate, headers: [NamedText] = [], query: [NamedText] = [],
    body: Template? = nil, success: [ClosedRange<Int>] = HTTPAction.defaultSuccess
  ) {
    self.service = service
    self.method = method
    self.path = path
    self.headers = headers
    self.query = query
    self.body = body
    self.success = success
  }

  public func isSuccess(_ status: Int) -> Bool { success.contains { $0.contains(status) } }

  /// Whether a call may change something at the service (RFC 9110 §9.2.1).
  public var hasSideEffect: Bool { method != "GET" && method != "HEAD" && method != "OPTIONS" }
}

/// Sends a service a command over Kafka and waits for its answer.
public struct KafkaAction: Sendable, Hashable {
  /// A name from the server's configuration, never a topic.
  public let service: String
  /// What the service is to do, as `create`.
  public let command: String
  public let headers: [NamedText]
  public let body: Template?

  public init(service: String, command: String, headers: [NamedText] = [], body: Template? = nil) {
    self.service = service
    self.command = command
    self.headers = headers
    self.body = body
  }
}

/// A header or a query parameter.
public struct NamedText: Sendable, Hashable {
  public let name: String
  public let value: TextTemplate

  public init(name: String, value: TextTemplate) {
    self.name = name
    self.value = value
  }
}

/// Waits for a signal from a person or an instrument.
public struct SignalAction: Sendable, Hashable {
  public let name: String
  /// Who may send it; kept and shown.
  public let roles: [String]
  /// A JSON Schema for its body; kept and shown.
  public let schema: JSON?
  /// Evaluated over the saga's document with the signal's body as its member `signal`.
  public let accept: JSONPathCondition?

  public init(name: String, roles: [String] = [], schema: JSON? = nil, accept: JSONPathCondition? = nil) {
    self.name = name
    self.roles = roles
    self.schema = schema
    self.accept = accept
  }
}

/// Lets time pass.
public enum DelayAction: Sendable, Hashable {
  case `for`(Duration)
  /// Renders to an RFC 3339 moment.
  case until(TextTemplate)
}
