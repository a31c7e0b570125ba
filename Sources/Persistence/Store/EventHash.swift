public import Values

/// The hash that chains the events of a stream. A changed, removed or reordered event breaks the chain from there on.
///
/// `hash = SHA-256(previous hash ‖ stream ‖ version ‖ type ‖ data ‖ meta ‖ recordedAt)`. The previous hash of the first
/// event is 32 zero bytes. Every other field is preceded by its length in 4 bytes. Numbers (the version, and the
/// timestamp in milliseconds) are 8 bytes. All numbers are big-endian. This is part of the stored format: it never
/// changes.
public enum EventHash {
  /// The previous hash of the first event.
  public static let start = [UInt8](repeating: 0, count: 32)

  public static func next(
    after previous: [UInt8], stream: UniqueID, version: Int, type: String, data: [UInt8], meta: [UInt8],
    recordedAt: Timestamp
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(previous.count + 56 + type.utf8.count + data.count + meta.count)
    bytes.append(contentsOf: previous)
    bytes.appendLength(16)
    bytes.appendWord(stream.high)
    bytes.appendWord(stream.low)
    bytes.appendLength(8)
    bytes.appendWord(UInt64(version))
    bytes.appendField(type.utf8)
    bytes.appendField(data)
    bytes.appendField(meta)
    bytes.appendLength(8)
    bytes.appendWord(UInt64(bitPattern: recordedAt.milliseconds))
    return Digest.sha256(bytes)
  }

  /// Returns the hash that an event must carry.
  public static func of(_ event: StoredEvent, after previous: [UInt8]) -> [UInt8] {
    next(
      after: previous, stream: event.stream, version: event.version, type: event.type, data: event.data,
      meta: event.meta, recordedAt: event.recordedAt)
  }
}

extension [UInt8] {
  mutating func appendLength(_ length: Int) {
    let length = UInt32(length)
    for shift in stride(from: 24, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: length >> UInt32(shift))) }
  }

  mutating func appendWord(_ word: UInt64) {
    for shift in stride(from: 56, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
  }

  mutating func appendField(_ field: some Collection<UInt8>) {
    appendLength(field.count)
    append(contentsOf: field)
  }
}
