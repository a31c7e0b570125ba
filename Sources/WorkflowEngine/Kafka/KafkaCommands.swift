import JSON
import Messaging
import Runtime

/// Commands that come over Kafka: start, signal, cancel. Each takes effect once, however often it is delivered, and its
/// offset moves only behind what is stored of it.
struct KafkaCommands: Sendable {
  let engine: Engine
  let unframe: InboundMessage.Unframe?

  static let typePrefix = "dev.tracseq.saga."

  var handlers: MessageHandlers {
    MessageHandlers { message in
      let inbound = try await InboundMessage(message, unframe: unframe)
      let (word, body) = try Self.command(of: inbound)
      guard engine.isReady else {
        throw EngineError(code: EngineErrorCode.engineNotReady, message: "The engine is starting or stopping.")
      }
      do {
        switch word {
        case "start": try await start(inbound, body)
        case "signal": try await signal(inbound, body)
        case "cancel": try await cancel(inbound, body)
        default:
          throw Poison(
            MessagingErrorCode.messageUnknownType, "“\(word)” is no command; there is start, signal and cancel.")
        }
      } catch {
        throw Poison(finally: error) ?? error
      }
    }
  }

  private static func command(of inbound: InboundMessage) throws(Poison) -> (word: String, body: JSON) {
    if let event = inbound.event {
      guard event.type.hasPrefix(typePrefix) else {
        throw Poison(
          MessagingErrorCode.messageUnknownType,
          "“\(event.type)” is no command; there is \(typePrefix)start, \(typePrefix)signal and \(typePrefix)cancel.")
      }
      return (String(event.type.dropFirst(typePrefix.count)), inbound.body)
    }
    guard var members = inbound.body.objectValue, let word = members["command"]?.stringValue else {
      throw Poison(
        EngineErrorCode.commandInvalid,
        "The message is no CloudEvent, and says no “command”: {\"command\": \"start\", \"workflow\": …, \"input\": …}.")
    }
    members["command"] = nil
    return (word, .object(members))
  }

  private func start(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["workflow", "version", "input", "key", "tags", "by"])
    let workflow = reader.text("workflow", isRequired: true)
    let input = reader.value("input", isRequired: true)
    let version = reader.version()
    let key = reader.key()
    let tags = reader.tags()
    let by = reader.text("by", isRequired: false)
    try reader.finish()
    _ = try await engine.start(
      StartRequest(
        workflow: workflow ?? "", version: version, input: input ?? .null, idempotencyKey: key ?? inbound.identity,
        tags: tags, by: by ?? inbound.sender))
  }

  private func signal(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["saga", "signal", "body", "by"])
    let saga = reader.saga()
    let name = reader.text("signal", isRequired: true)
    let content = reader.value("body", isRequired: false) ?? .null
    let by = reader.text("by", isRequired: false)
    try reader.finish()
    guard let saga, let name else { return }
    _ = try await engine.signal(
      saga, name: name, body: content, signalID: inbound.identity, by: by ?? inbound.sender)
  }

  private func cancel(_ inbound: InboundMessage, _ body: JSON) async throws {
    var reader = try CommandReader(body, known: ["saga", "reason", "by"])
    let saga = reader.saga()
    let reason = reader.text("reason", isRequired: true, longest: 2_000)
    let by = reader.text("by", isRequired: false)
    try reader.finish()
    guard let saga, let reason else { return }
    _ = try await engine.cancel(
      saga, by: by ?? inbound.sender, reason: reason, from: "kafka \(inbound.message.topic)",
      commandID: inbound.identity)
  }
}
