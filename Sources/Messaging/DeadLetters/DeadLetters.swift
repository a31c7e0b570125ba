public import Runtime
import Values

/// Where messages go that can't be handled: each with its bytes, key and headers as they were, and the reason. Of one that
/// is too large for that, as much as the topic takes.
public struct DeadLetters: Sendable {
  private let producer: KafkaProducer
  public let topic: String
  private let environment: Environment

  /// - Parameters:
  ///   - producer: sends the letters.
  ///   - topic: where to.
  ///   - environment: dates them.
  public init(producer: KafkaProducer, topic: String, environment: Environment) {
    self.producer = producer
    self.topic = topic
    self.environment = environment
  }

  /// Buries a message that came, and returns once the letter is in its topic.
  /// - Parameters:
  ///   - message: as it came.
  ///   - code: why, for a program.
  ///   - reason: why, for a person.
  ///   - attempts: how often it was tried.
  /// - Throws: when the letter can't be delivered: the message may not be let go of.
  public func bury(_ message: KafkaMessage, code: String, reason: String, attempts: Int) async throws(KafkaError) {
    let origin = [
      KafkaHeader("dl_topic", message.topic), KafkaHeader("dl_partition", "\(message.partition)"),
      KafkaHeader("dl_offset", "\(message.offset)"),
    ]
    try await send(
      key: message.key, value: message.value, headers: message.headers, origin: origin, code: code, reason: reason,
      attempts: attempts)
  }

  /// Buries a message that a broker would not take.
  /// - Parameters:
  ///   - record: as it was to be sent.
  ///   - origin: where it comes from, when that isn't a topic: `dl_…` headers.
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
    var letter = KafkaRecord(topic: topic, key: key, value: value, headers: headers + why)
    if try await isTaken(letter) { return }
    // Too large for this topic as well: what it was is kept as a digest, where it came from stands in the headers.
    letter.value = nil
    letter.headers.append(KafkaHeader("dl_value_omitted", Self.digest(of: value ?? [])))
    if try await isTaken(letter) { return }
    // Then it is the headers, or the key.
    letter.key = nil
    letter.headers =
      why + [
        KafkaHeader("dl_value_omitted", Self.digest(of: value ?? [])),
        KafkaHeader("dl_key_omitted", Self.digest(of: key ?? [])),
        KafkaHeader("dl_headers_omitted", Self.digest(of: headers.flatMap { Array($0.name.utf8) + $0.value })),
      ]
    _ = try await producer.send(letter)
  }

  /// - Returns: false when the broker won't have a message of this size.
  private func isTaken(_ letter: KafkaRecord) async throws(KafkaError) -> Bool {
    do {
      _ = try await producer.send(letter)
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
