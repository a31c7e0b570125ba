public import Runtime
import Values

/// Sends messages that can't be handled to a dead-letter topic: each with its value, key and headers, and the reason. A
/// message that is too large for the topic loses its value, then its key and headers.
public struct DeadLetters: Sendable {
  private let producer: KafkaProducer
  public let topic: String
  private let environment: Environment

  /// - Parameters:
  ///   - producer: sends the dead letters.
  ///   - topic: the topic of the dead letters.
  ///   - environment: the clock for `dl_time`.
  public init(producer: KafkaProducer, topic: String, environment: Environment) {
    self.producer = producer
    self.topic = topic
    self.environment = environment
  }

  /// Sends a message that was read to the dead letters, and returns when the dead letter is in its topic.
  /// - Parameters:
  ///   - message: the message as it was read.
  ///   - code: the reason for a program.
  ///   - reason: the reason for a person.
  ///   - attempts: the number of attempts to handle it.
  /// - Throws: when the dead letter can't be delivered. Then the caller must keep the message.
  public func bury(_ message: KafkaMessage, code: String, reason: String, attempts: Int) async throws(KafkaError) {
    let origin = [
      KafkaHeader("dl_topic", message.topic), KafkaHeader("dl_partition", "\(message.partition)"),
      KafkaHeader("dl_offset", "\(message.offset)"),
    ]
    try await send(
      key: message.key, value: message.value, headers: message.headers, origin: origin, code: code, reason: reason,
      attempts: attempts)
  }

  /// Sends a message that a broker refused to the dead letters.
  /// - Parameters:
  ///   - record: the message as it was sent.
  ///   - origin: `dl_…` headers that name its source, when the source isn't a topic.
  public func bury(
    _ record: KafkaRecord, origin: [KafkaHeader], code: String, reason: String, attempts: Int
  ) async throws(KafkaError) {
    var all = [KafkaHeader("dl_topic", record.topic)]
    if let partition = record.partition { all.append(KafkaHeader("dl_partition", "\(partition)")) }
    try await send(
      key: record.key, value: record.value, headers: record.headers, origin: all + origin, code: code, reason: reason,
      attempts: attempts)
  }

  private func send(
    key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader], origin: [KafkaHeader], code: String, reason: String,
    attempts: Int
  ) async throws(KafkaError) {
    let why =
      origin + [
        KafkaHeader("dl_code", code), KafkaHeader("dl_reason", Self.cut(reason)),
        KafkaHeader("dl_attempts", "\(attempts)"), KafkaHeader("dl_time", environment.now().description),
      ]
    var deadLetter = KafkaRecord(topic: topic, key: key, value: value, headers: headers + why)
    if try await isTaken(deadLetter) { return }
    // It is too large for this topic too: keep the value's digest. The headers still name its source.
    deadLetter.value = nil
    deadLetter.headers.append(KafkaHeader("dl_value_omitted", Self.digest(of: value ?? [])))
    if try await isTaken(deadLetter) { return }
    // The headers or the key are too large.
    deadLetter.key = nil
    deadLetter.headers =
      why + [
        KafkaHeader("dl_value_omitted", Self.digest(of: value ?? [])),
        KafkaHeader("dl_key_omitted", Self.digest(of: key ?? [])),
        KafkaHeader("dl_headers_omitted", Self.digest(of: headers.flatMap { Array($0.name.utf8) + $0.value })),
      ]
    _ = try await producer.send(deadLetter)
  }

  /// - Returns: false when the broker refuses a message of this size.
  private func isTaken(_ deadLetter: KafkaRecord) async throws(KafkaError) -> Bool {
    do {
      _ = try await producer.send(deadLetter)
      return true
    } catch {
      guard error.refusesTheMessage else { throw error }
      return false
    }
  }

  private static func digest(of bytes: [UInt8]) -> String { "\(bytes.count) bytes, sha256 \(Digest.hex(bytes))" }

  /// A reason may quote the message, and a message may be long.
  private static func cut(_ reason: String) -> String {
    String(String.UnicodeScalarView(reason.unicodeScalars.prefix(2_000)))
  }
}
