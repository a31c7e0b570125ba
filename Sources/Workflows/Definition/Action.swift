import JSON

/// The action of a step.
public enum Action: Sendable, Hashable {
  case http(HTTPAction)
  case kafka(KafkaAction)
  case task(TaskAction)
  /// Starts a saga of another workflow, a child, and waits for its end.
  case workflow(WorkflowAction)
  case signal(SignalAction)
  case delay(DelayAction)
  case fail(FailAction)
  /// Runs the steps inside it (`Step.members`).
  case group

  /// The name of the action's kind. The file has it as a member; a group has "steps".
  public var kind: String {
    switch self {
    case .http: "http"
    case .kafka: "kafka"
    case .task: "task"
    case .workflow: "workflow"
    case .signal: "signal"
    case .delay: "delay"
    case .fail: "fail"
    case .group: "group"
    }
  }

  package var isHTTP: Bool { if case .http = self { true } else { false } }
  public var isTask: Bool { if case .task = self { true } else { false } }
  public var isWorkflow: Bool { if case .workflow = self { true } else { false } }
  package var isSignal: Bool { if case .signal = self { true } else { false } }
  public var isGroup: Bool { if case .group = self { true } else { false } }

  /// True when the action is done in attempts, which may be repeated. Otherwise the engine does the action by itself.
  public var isAttempted: Bool {
    switch self {
    case .http, .kafka, .task, .workflow: true
    case .signal, .delay, .fail, .group: false
    }
  }
}

/// Calls a service.
public struct HTTPAction: Sendable, Hashable {
  /// The name of a service in the server's configuration, never an address.
  public let service: String
  /// The HTTP method in capitals.
  public let method: String
  public let path: TextTemplate
  public let headers: [NamedText]
  public let query: [NamedText]
  public let body: Template?
  /// The status codes that mean success.
  public let success: [ClosedRange<Int>]

  public static let defaultSuccess: [ClosedRange<Int>] = [200...299]

  /// The lower-case names of headers that the engine or the connection sets itself. Neither a workflow nor the
  /// configuration of a service sets them.
  public static let ownHeaders: Set<String> = [
    "idempotency-key", "compensates", "saga-id", "traceparent", "host", "content-length", "transfer-encoding",
    "connection", "upgrade", "te", "trailer", "expect", "keep-alive", "proxy-connection",
  ]

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

  /// True when a call may change data at the service (RFC 9110 §9.2.1).
  public var hasSideEffect: Bool { method != "GET" && method != "HEAD" && method != "OPTIONS" }
}

/// Sends a command to a service over Kafka and waits for its answer.
public struct KafkaAction: Sendable, Hashable {
  /// The name of a service in the server's configuration, never a topic.
  public let service: String
  /// The command to the service, such as `create`.
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

/// Offers work to the workers of a queue, and waits until one of them has done it. A worker asks the engine for work; the
/// engine calls no worker.
public struct TaskAction: Sendable, Hashable {
  /// The name of the queue from which workers take the task.
  public let queue: String
  /// The input of the task; nil when the file has none.
  public let input: Template?
  /// The time after which a worker that sends no heartbeat has lost the task.
  public let heartbeatTimeout: Duration

  public static let defaultHeartbeatTimeout = Duration.seconds(60)
  /// The shortest heartbeat timeout. A worker needs time to send a heartbeat.
  public static let shortestHeartbeatTimeout = Duration.seconds(1)

  public init(
    queue: String, input: Template? = nil, heartbeatTimeout: Duration = TaskAction.defaultHeartbeatTimeout
  ) {
    self.queue = queue
    self.input = input
    self.heartbeatTimeout = heartbeatTimeout
  }
}

/// Starts a saga of another workflow, and waits until it has ended. The undo of its step turns the child back.
public struct WorkflowAction: Sendable, Hashable {
  /// The name of the child's workflow.
  public let name: String
  /// The version of the child's workflow; nil for the latest.
  public let version: Int?
  /// The input of the child; nil for an object without members.
  public let input: Template?
  /// The start key of the child, by which people and instruments know it; nil for none.
  public let key: TextTemplate?

  public init(name: String, version: Int? = nil, input: Template? = nil, key: TextTemplate? = nil) {
    self.name = name
    self.version = version
    self.input = input
    self.key = key
  }

  /// The action that undoes the step. It needs the key to find the child, and not the input.
  package var undo: WorkflowAction { WorkflowAction(name: name, version: version, key: key) }
}

/// A header or a query parameter.
public struct NamedText: Sendable, Hashable {
  public let name: String
  public let value: TextTemplate
}

/// Waits for a signal from a person or an instrument.
public struct SignalAction: Sendable, Hashable {
  public let name: String
  /// The laboratory roles, of which a sender must have one; empty when anyone may send the signal.
  public let roles: [String]
  /// The schema of the signal's body. The step takes no body that doesn't meet it.
  public let schema: WorkflowSchema?
  /// The condition on a signal. The engine evaluates it over the saga's document, with the signal's body as its member
  /// `signal`.
  public let accept: JSONPathCondition?

  public init(name: String, roles: [String] = [], schema: WorkflowSchema? = nil, accept: JSONPathCondition? = nil) {
    self.name = name
    self.roles = roles
    self.schema = schema
    self.accept = accept
  }

  /// Whether a sender may send the signal.
  /// - Parameter roles: the sender's laboratory roles; nil when senders are not compared.
  public func takes(senderWith roles: [String]?) -> Bool {
    guard let roles, !self.roles.isEmpty else { return true }
    return self.roles.contains { wanted in roles.contains { $0.hasSameScalars(as: wanted) } }
  }
}

/// Waits for a time.
public enum DelayAction: Sendable, Hashable {
  case `for`(Duration)
  /// A template that renders to an RFC 3339 timestamp.
  case until(TextTemplate)
}

/// Fails the step on purpose. Nothing is sent, so nothing of the step is undone.
public struct FailAction: Sendable, Hashable {
  /// The code of the failure.
  public let code: String
  /// The text for the people who read the failure; nil when the file has none.
  public let message: TextTemplate?

  public init(code: String, message: TextTemplate? = nil) {
    self.code = code
    self.message = message
  }
}
