import JSON
import Messaging
import SagaCore
import Values
import WorkflowEngine

/// Commands over Kafka: start, signal, cancel. Each takes effect once, however often it is delivered. Its offset moves
/// only after its effect is stored.
struct KafkaCommands: Sendable {
  let engine: Engine
  let unframe: InboundMessage.Unframe?
  /// The laboratory roles of everyone who writes to the topic; nil when no sender of a signal is compared.
  var labRoles: [String]?

  static let typePrefix = "dev.tracseq.saga."

  /// A command's members, and the message that contained them.
  private typealias Command = (inbound: InboundMessage, body: JSON)

  var handlers: MessageHandlers {
    MessageHandlers(
      reading: { message in try Self.command(of: try await InboundMessage(message, unframe: unframe)) },
      [
        Self.typePrefix + "start": { command in try await take(command, start) },
        Self.typePrefix + "signal": { command in try await take(command, signal) },
        Self.typePrefix + "cancel": { command in try await take(command, cancel) },
      ])
  }

  /// Returns the command. A CloudEvent names it in its type, plain JSON in its member `command`.
  private static func command(of inbound: InboundMessage) throws(Poison) -> (type: String, content: Command) {
    if let event = inbound.event { return (event.type, (inbound, inbound.body)) }
    guard var members = inbound.body.objectValue, let word = members["command"]?.stringValue else {
      throw Poison(
        EngineErrorCode.commandInvalid,
        "The message is no CloudEvent, and says no “command”: {\"command\": \"start\", \"workflow\": …, \"input\": …}.")
    }
    members["command"] = nil
    return (typePrefix + word, (inbound, .object(members)))
  }

  private func take(
    _ command: Command, _ effect: (InboundMessage, JSON) async throws -> Void
  ) async throws {
    guard engine.isReady else {
      throw EngineError(code: EngineErrorCode.engineNotReady, message: "The engine is starting or stopping.")
    }
    do {
      try await effect(command.inbound, command.body)
    } catch {
      throw Poison(finally: error) ?? error
    }
  }

  private func start(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["workflow", "version", "input", "key", "tags", "by"])
    let workflow = reader.words("workflow", isRequired: true)
    let input = reader.any("input", isRequired: true)
    let version = reader.version()
    let key = reader.key()
    let tags = reader.tags()
    let by = reader.words("by", isRequired: false)
    try reader.finish()
    _ = try await engine.start(
      StartRequest(
        workflow: workflow ?? "", version: version, input: input ?? .null, idempotencyKey: key ?? inbound.identity,
        formerKeys: key == nil ? [inbound.formerIdentity] : [], tags: tags, by: by ?? inbound.sender, from: inbound.way)
    )
  }

  private func signal(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["saga", "workflow", "key", "signal", "body", "by"])
    let saga = reader.namedSaga()
    let name = reader.words("signal", isRequired: true)
    let content = reader.any("body", isRequired: false) ?? .null
    let by = reader.words("by", isRequired: false)
    try reader.finish()
    guard let saga, let name else { return }
    _ = try await engine.signal(
      try await id(of: saga),
      SignalGiven(
        name: name, id: inbound.identity, body: content, by: by ?? inbound.sender, from: inbound.way,
        roles: labRoles),
      formerIDs: [inbound.formerIdentity])
  }

  private func id(of saga: NamedSaga) async throws -> UniqueID {
    switch saga {
    case .id(let id): id
    case .startedBy(let key, let workflow): try await engine.saga(of: workflow, startedBy: key)
    }
  }

  private func cancel(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["saga", "workflow", "key", "reason", "by"])
    let named = reader.namedSaga()
    let reason = reader.words("reason", isRequired: true, atMost: 2_000)
    let by = reader.words("by", isRequired: false)
    try reader.finish()
    guard let named, let reason else { return }
    let saga = try await id(of: named)
    // An older version carried it out, but did not store its offset.
    if try await engine.saga(saga).state.hasCancelled(by: inbound.formerIdentity) { return }
    _ = try await engine.cancel(
      saga, by: by ?? inbound.sender, reason: reason, from: inbound.way, commandID: inbound.identity)
  }
}

extension SagaState {
  fileprivate func hasCancelled(by command: String) -> Bool {
    commands.contains { $0.verb == OperatorVerb.Name.cancel.rawValue && $0.id.hasSameScalars(as: command) }
  }
}
