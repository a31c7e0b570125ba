import JSON
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

/// Seals and opens the sensitive values of one saga, with the saga's data key.
///
/// A sealed text is `sealed:1:` and base64 of nonce, ciphertext and tag (AES-256-GCM). The saga's id belongs to what is
/// authenticated, so a value can't be moved into another saga. The plaintext is one byte for its kind and the value as
/// JSON, filled up with blanks to a multiple of 16 bytes.
///
/// Two kinds are sealed. *Marked*: what a schema declares as sensitive. *Found*: a value elsewhere in an event that equals
/// a marked one, and a text that contains one. `docs/security.md` says what is not found.
final class SagaSeal: ValueOpening, Sendable {
  let saga: UniqueID
  private let key: SealingKey
  private let digestKey: [UInt8]
  private let environment: Environment

  private enum Kind: UInt8 {
    case marked = 0x6D
    case found = 0x66
  }

  private struct Memory {
    var opened: [String: JSON] = [:]
    /// The saga's input, open. It may be large, and every evaluation reads it.
    var input: JSON?
    var secrets = Secrets()
  }
  private let memory = Mutex(Memory())

  /// The most opened values that are kept. An input with more is kept as a whole.
  private static let mostOpened = 10_000
  private static let padding = 16

  init(_ saga: UniqueID, key: SealingKey, environment: Environment) {
    self.saga = saga
    self.key = key
    self.environment = environment
    digestKey = Digest.hmacSHA256(Array("digests".utf8), key: key.bytes)
  }

  private var context: [UInt8] { Array("saga value 1 \(saga)".utf8) }

  // MARK: Opening

  func opened(_ text: String) -> JSON? {
    if let known = memory.withLock({ $0.opened[text] }) { return known }
    guard let value = read(text)?.value else { return nil }
    memory.withLock { memory in
      if memory.opened.count >= Self.mostOpened { memory.opened.removeAll(keepingCapacity: true) }
      memory.opened[text] = value
    }
    return value
  }

  func input(_ sealed: JSON) -> JSON {
    if let known = memory.withLock({ $0.input }) { return known }
    let input = open(sealed)
    memory.withLock { $0.input = input }
    return input
  }

  /// Returns a value with its sealed texts open.
  func open(_ json: JSON) -> JSON {
    json.replacingTexts { SealedText.isOne($0) ? read($0)?.value : nil }
  }

  func digest(of bytes: [UInt8]) -> String {
    Digest.hexadecimal(Digest.hmacSHA256(bytes, key: digestKey))
  }

  private func read(_ text: String) -> (kind: Kind, value: JSON)? {
    guard let sealed = SealedText.content(of: text), let content = key.open(sealed, context: context),
      let kind = content.first.flatMap(Kind.init(rawValue:)),
      let value = try? JSON(parsing: Array(content.dropFirst()), limits: .stored)
    else { return nil }
    return (kind, value)
  }

  /// Learns the sensitive values of a state that was read from the store, so that they are found again.
  func learn(from state: SagaState) {
    for text in SealedText.all(in: state.snapshotText) {
      if let (kind, value) = read(text), kind == .marked { memory.withLock { $0.secrets.add(value) } }
    }
  }

  // MARK: Sealing

  /// Returns events with their sensitive values sealed.
  /// - Parameter definition: the definition that the saga follows.
  /// - Throws: `Refusal` `seal.failed` when libcrypto does not seal. `UnreadableEvent` when an event would not be
  ///   readable any more. Nothing may be stored then.
  func sealed(_ events: [SagaEvent], by definition: WorkflowDefinition) throws -> [SagaEvent] {
    try events.map { event in
      var sealing = Sealing(seal: self)
      var data = sealing.marked(event.data, of: event, by: definition)
      data = sealing.found(data)
      if let failure = sealing.failure { throw failure }
      guard sealing.hasSealed else { return event }
      return try SagaEvent(type: event.typeName, schema: SagaEvent.schema, data: data)
    }
  }

  /// Returns a value sealed.
  private func seal(_ value: JSON, _ kind: Kind) -> JSON? {
    var content = [kind.rawValue] + value.bytes()
    // Blanks behind a value are JSON, too. They hide the length of a name.
    let rest = content.count % Self.padding
    if rest > 0 { content += [UInt8](repeating: UInt8(ascii: " "), count: Self.padding - rest) }
    let nonce = environment.randomBytes(SealingKey.nonceLength)
    guard let sealed = key.seal(content, nonce: nonce, context: context) else { return nil }
    return .string(SealedText.text(of: sealed))
  }

  /// The walk through one event.
  private struct Sealing {
    let seal: SagaSeal
    var hasSealed = false
    var failure: Refusal?

    /// Seals what a schema declares.
    mutating func marked(_ data: JSON, of event: SagaEvent, by definition: WorkflowDefinition) -> JSON {
      guard case .object(var members) = data else { return data }
      switch event.what {
      case is SagaStarted:
        guard case .object(var saga)? = members["saga"], let input = saga["input"] else { return data }
        saga["input"] = sealing(input, by: definition.inputSchema)
        members["saga"] = .object(saga)
      case is OperatorRetried:
        guard let input = members["input"] else { return data }
        members["input"] = sealing(input, by: definition.inputSchema)
      case let signal as SignalReceived:
        members["body"] = body(members["body"], ofSignal: signal.signal.name, definition)
      case let refused as SignalRefused:
        members["body"] = body(members["body"], ofSignal: refused.refusal.name, definition)
      case is StepSucceeded, is OperatorResolved, is OperatorSkipped:
        // The output of a step that waits for a signal is the body of the signal.
        guard let step = event.step.map(ItemID.step(of:)), let output = members["output"],
          case .signal(let signal)? = definition.steps.first(where: { $0.id == step })?.action
        else { return data }
        members["output"] = sealing(output, by: signal.schema)
      default: return data
      }
      return .object(members)
    }

    private mutating func body(_ body: JSON?, ofSignal name: String, _ definition: WorkflowDefinition) -> JSON? {
      guard var body else { return nil }
      for step in definition.steps {
        var signals = [step.undoSignal].compactMap(\.self)
        if case .signal(let signal) = step.action { signals.append(signal) }
        for signal in signals where signal.name.hasSameScalars(as: name) { body = sealing(body, by: signal.schema) }
      }
      return body
    }

    private mutating func sealing(_ value: JSON, by schema: WorkflowSchema?) -> JSON {
      guard let schema else { return value }
      return schema.replacingSensitive(in: value) { part in
        // The schema of another step has sealed it before.
        if let text = part.stringValue, seal.opened(text) != nil { return part }
        seal.memory.withLock { $0.secrets.add(part) }
        return put(part, .marked)
      }
    }

    private mutating func put(_ value: JSON, _ kind: Kind) -> JSON {
      guard let sealed = seal.seal(value, kind) else {
        failure = Refusal(EngineErrorCode.sealFailed, "libcrypto did not seal a value. Nothing was stored.")
        return .null
      }
      hasSealed = true
      return sealed
    }

    // MARK: What was found

    /// The members of an event that are not content: times, ids, words of the engine, and people. Their names are free
    /// below `content`.
    private static let structure: Set<String> = [
      "at", "attempt", "basis", "by", "cause", "child", "classes", "code", "commandDigest", "commandId", "consequence",
      "deadline", "definition", "depth", "digest", "from", "how", "id", "idempotencyKey", "key", "lease", "lookedAt",
      "next", "outcome", "parent", "phase", "queue", "remindAt", "resolution", "retryAt", "roles", "sealed", "signal",
      "signalId", "since", "status", "step", "steps", "tags", "until", "why", "worker", "workflow",
    ]
    private static let content: Set<String> = ["input", "output", "body", "labels", "headers"]

    /// Seals values that equal a marked one, and texts that contain one.
    mutating func found(_ data: JSON) -> JSON {
      let secrets = seal.memory.withLock { $0.secrets }
      return found(data, isContent: false, secrets)
    }

    private mutating func found(_ json: JSON, isContent: Bool, _ secrets: Secrets) -> JSON {
      switch json {
      case .object(let members):
        var walked = JSONObject()
        for (name, value) in members {
          if !isContent, Self.structure.contains(name) {
            walked[name] = value
          } else {
            walked[name] = found(value, isContent: isContent || Self.content.contains(name), secrets)
          }
        }
        return .object(walked)
      case .array(let elements):
        return .array(elements.map { found($0, isContent: isContent, secrets) })
      case .string(let text):
        if SealedText.isOne(text) {
          // A text of this form that is not of this saga came from outside, and must not be taken for sealed later.
          return seal.opened(text) == nil ? put(json, .found) : json
        }
        if secrets.isOne(json) { return put(json, .marked) }
        return secrets.isPart(of: text) ? put(json, .found) : json
      case .number: return isContent && secrets.isOne(json) ? put(json, .marked) : json
      case .null, .bool: return json
      }
    }
  }
}

/// The sensitive values of a saga, for the search.
private struct Secrets {
  /// A shorter text or number is too common to be searched.
  private static let shortest = 4
  /// The most texts that are searched inside other texts. Values that equal a sensitive one are found however many there
  /// are.
  private static let mostSearched = 256

  private var values: Set<JSON> = []
  /// The texts in the forms in which they may be part of another one: as they are, in JSON, and in a URL.
  private var searched: [[UInt8]] = []
  private var count = 0

  /// Adds the texts and numbers of a sensitive value.
  mutating func add(_ value: JSON) {
    switch value {
    case .object(let members): for (_, member) in members { add(member) }
    case .array(let elements): for element in elements { add(element) }
    case .string(let text): add(value, text)
    case .number(let number): add(value, number.text)
    case .null, .bool: break
    }
  }

  private mutating func add(_ value: JSON, _ text: String) {
    guard text.unicodeScalars.count >= Self.shortest, values.insert(value).inserted, count < Self.mostSearched else {
      return
    }
    count += 1
    searched.append(Array(text.utf8))
    let escaped = Array(JSON.string(text).bytes().dropFirst().dropLast())
    let encoded = Array(PercentEncoding.segment(text).utf8)
    for form in [escaped, encoded] where !searched.contains(form) { searched.append(form) }
  }

  func isOne(_ value: JSON) -> Bool { values.contains(value) }

  /// Returns whether a text contains one of the values, or ends inside of one because it was cut.
  func isPart(of text: String) -> Bool {
    if searched.isEmpty { return false }
    var text = text
    while let last = text.unicodeScalars.last, last == "…" || last == "." { text.unicodeScalars.removeLast() }
    return text.withUTF8 { bytes in
      searched.contains { Self.contains(bytes, $0) || Self.ends(bytes, inside: $0) }
    }
  }

  private static func ends(_ bytes: UnsafeBufferPointer<UInt8>, inside wanted: [UInt8]) -> Bool {
    let most = min(bytes.count, wanted.count - 1)
    guard most >= shortest else { return false }
    return (shortest...most).contains { bytes.suffix($0).elementsEqual(wanted.prefix($0)) }
  }

  private static func contains(_ bytes: UnsafeBufferPointer<UInt8>, _ wanted: [UInt8]) -> Bool {
    guard let first = wanted.first, bytes.count >= wanted.count else { return false }
    var index = 0
    let last = bytes.count - wanted.count
    while index <= last {
      if bytes[index] == first, bytes[index..<index + wanted.count].elementsEqual(wanted) { return true }
      index += 1
    }
    return false
  }
}
