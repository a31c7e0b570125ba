import JSON
import Messaging
import Persistence
import Runtime
import SagaCore
import Values
import WorkflowEngine

/// The common parts of every message to the engine: its sender, its identity, and its JSON.
struct InboundMessage: Sendable {
  let message: KafkaMessage
  let event: CloudEvent?
  let body: JSON

  /// The largest message, in bytes. A larger one is not a command.
  static let maxBytes = 1 << 20

  typealias Unframe = @Sendable ([UInt8]) async throws -> [UInt8]

  /// - Parameter unframe: removes a schema registry's framing; nil when there is no registry.
  /// - Throws: `Poison`; or the temporary error that keeps the registry from answering.
  init(_ message: KafkaMessage, unframe: Unframe?) async throws {
    self.message = message
    let count = message.value?.count ?? 0
    guard count <= Self.maxBytes else {
      throw Poison(
        MessagingErrorCode.messageTooLarge,
        "The message has \(count) bytes; \(Self.maxBytes) are the most that is taken.")
    }
    // The framing comes before everything, also before a whole CloudEvent.
    let plain = try await Self.unframed(message, unframe)
    event = try CloudEvent(plain)
    do {
      body = try JSON(parsing: event?.data ?? plain.value ?? [])
    } catch {
      throw Poison(
        MessagingErrorCode.messageNotJSON,
        "The message is no JSON: line \(error.line), column \(error.column): \(error.message)")
    }
  }

  private static func unframed(_ message: KafkaMessage, _ unframe: Unframe?) async throws -> KafkaMessage {
    guard let value = message.value, value.first == 0 else { return message }
    guard let unframe else {
      throw Poison(
        MessagingErrorCode.messageMalformed,
        "The message is framed for a schema registry, and the engine knows none; start it with --schema-registry URL.")
    }
    return KafkaMessage(
      topic: message.topic, partition: message.partition, offset: message.offset, key: message.key,
      value: try await unframe(value), headers: message.headers, timestamp: message.timestamp)
  }

  /// The identity of the message: the same for every delivery, and different for every message. It contains blanks, so
  /// it differs from the keys that callers choose, which contain none.
  var identity: String {
    let full: String
    if let event {
      full = "kafka event \(Self.word(event.source)) \(Self.word(event.id))"
    } else {
      // A topic that was created again counts its messages from 0 again, but their timestamps differ.
      full = "kafka message \(message.place)" + (message.timestamp.map { " \($0.milliseconds)" } ?? "")
    }
    return full.utf8.count <= 255 ? full : "kafka digest " + Digest.hex(Array(full.utf8))
  }

  /// The identity that earlier versions gave the message. Their stored data contains it.
  var formerIdentity: String {
    let full: String
    if let event {
      let source =
        event.source.contains(where: { $0 == "#" || $0 == "%" })
        ? event.source.replacing("%", with: "%25").replacing("#", with: "%23") : event.source
      full = "kafka:\(source)#\(event.id)"
    } else {
      full = "kafka:\(message.place)"
    }
    let isPlain = full.utf8.count <= 255 && full.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    return isPlain ? full : "kafka:" + Digest.hex(Array(full.utf8))
  }

  /// Returns a text without blanks that is different for each text. It percent-encodes `%`, and everything that is not
  /// visible ASCII.
  private static func word(_ text: String) -> String {
    var word = ""
    for byte in text.utf8 {
      if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") {
        word.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        word += "%" + Digest.hexadecimal([byte]).uppercased()
      }
    }
    return word
  }

  /// The way that the message came, as the history stores it.
  var way: String { "kafka \(message.topic)" }

  /// The sender, as far as the message names it.
  var sender: String { event.map { "kafka \($0.source.withoutNUL)" } ?? "kafka \(message.topic)" }
}

/// Reads the members of a command, and collects all its mistakes.
struct CommandReader: MistakeCollector {
  private let members: JSONObject
  private(set) var wrong: [String] = []

  init(_ body: JSON, known: Set<String>) throws(Poison) {
    guard let members = body.objectValue else {
      throw Poison(EngineErrorCode.commandInvalid, "A command is an object, not \(body.kind).")
    }
    self.members = members
    for name in members.keys where !known.contains(name) {
      wrong.append("/\(name): unknown; there is \(known.sorted().joined(separator: ", "))")
    }
  }

  /// A member that is null counts as missing.
  func member(_ name: String) -> JSON? { members[name].flatMap { $0.isNull ? nil : $0 } }

  mutating func noteMissing(_ name: String) { refuse(name, "is required") }

  mutating func noteWrong(_ pointer: JSONPointer, _ what: String, nearName: String?) {
    wrong.append("\(pointer): \(what)")
  }

  /// Reads a text for people, or a name.
  mutating func words(_ name: String, isRequired: Bool, atMost limit: Int = 255) -> String? {
    guard let text = text(name, isRequired: isRequired, atMost: limit) else { return nil }
    guard !text.utf8.contains(0) else {
      refuse(name, "has a U+0000, which no name and no text for people has")
      return nil
    }
    if name == "by", let scalar = PersonName.invisible(in: text) {
      refuse(name, "has a character that can't be seen: \(PersonName.codePoint(scalar))")
      return nil
    }
    return text
  }

  /// Reads the saga that a command is for: `saga`, or `workflow` and the `key` that has started it.
  mutating func namedSaga() -> NamedSaga? {
    guard members["saga"] == nil, members["workflow"] != nil || members["key"] != nil else {
      for name in ["workflow", "key"] where members[name] != nil { refuse(name, "goes without \"saga\"") }
      return saga().map { .id($0) }
    }
    let workflow = words("workflow", isRequired: true)
    if members["key"] == nil { noteMissing("key") }
    guard let workflow, let key = key() else { return nil }
    return .startedBy(key: key, workflow: workflow)
  }

  private mutating func saga() -> UniqueID? {
    guard let text = words("saga", isRequired: true) else { return nil }
    guard let id = UniqueID(text) else {
      refuse("saga", "must be a saga's id, a UUID")
      return nil
    }
    return id
  }

  mutating func version() -> Int? {
    read("version", "must be a whole number from 1") { value in value.intValue.flatMap { $0 >= 1 ? $0 : nil } }
  }

  /// Reads a key by the rules of REST: 1 to 255 visible ASCII characters.
  mutating func key() -> String? {
    guard let text = words("key", isRequired: false) else { return nil }
    guard text.utf8.count <= 255, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      refuse("key", "must be 1 to 255 visible ASCII characters")
      return nil
    }
    return text
  }

  /// Reads the tags. Nil when the member is missing: a repeat without tags matches the saga's tags.
  mutating func tags() -> [String]? {
    guard let value = value("tags") else { return nil }
    guard let texts = value.elements({ $0.text(atMost: 100) }), texts.count <= 16 else {
      refuse("tags", "must be up to 16 strings of 1 to 100 characters")
      return []
    }
    for (index, text) in texts.enumerated() {
      if let fault = VisibleText.fault(in: text) { wrong.append("/tags/\(index): \(fault)") }
    }
    return texts.map(VisibleText.normal)
  }

  /// Reads any JSON value. Null is a value.
  mutating func any(_ name: String, isRequired: Bool) -> JSON? {
    if members[name] == nil, isRequired { noteMissing(name) }
    return members[name]
  }

  /// - Throws: all the mistakes.
  func finish() throws(Poison) {
    if !wrong.isEmpty { throw Poison(EngineErrorCode.commandInvalid, wrong.joined(separator: "; ")) }
  }
}

/// A saga as a command names it.
enum NamedSaga {
  case id(UniqueID)
  /// By the idempotency key of its start, which belongs to one saga of the workflow.
  case startedBy(key: String, workflow: String)
}
