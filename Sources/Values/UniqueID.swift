/// An id of 128 bits (RFC 9562), in network order.
public struct UniqueID: Sendable, Hashable, Comparable {
  public let high: UInt64
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// - Returns: nil unless `bytes` has exactly 16 bytes.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    let words = bytes.reduce(into: (high: UInt64(0), low: UInt64(0))) { words, byte in
      words.high = words.high << 8 | words.low >> 56
      words.low = words.low << 8 | UInt64(byte)
    }
    self.init(high: words.high, low: words.low)
  }

  /// Reads `019c8a5e-7b1c-7d2e-8f3a-0123456789ab`, in lower or upper case.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    var digits = 0
    for (index, byte) in bytes.enumerated() {
      if [8, 13, 18, 23].contains(index) {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      if digits < 16 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
      digits += 1
    }
    self.init(high: high, low: low)
  }

  /// Returns a version 7 id: the timestamp, then 74 random bits. These ids sort by their timestamp.
  public static func version7(at moment: Timestamp, random: (UInt64, UInt64)) -> UniqueID {
    UniqueID(
      high: UInt64(bitPattern: moment.milliseconds) << 16 | 0x7000 | random.0 & 0x0FFF,
      low: 0x8000_0000_0000_0000 | random.1 >> 2)
  }

  /// Returns a version 8 id from the SHA-256 of a name. The same name always gives the same id, on every machine.
  public static func derived(from name: String) -> UniqueID {
    let digest = Digest.sha256(Array(name.utf8))
    let id = UniqueID(bytes: digest.prefix(16)) ?? UniqueID(high: 0, low: 0)
    return UniqueID(
      high: id.high & ~0xF000 | 0x8000,
      low: id.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }

  /// The time at which a version 7 id was made; nil for every other version.
  public var moment: Timestamp? {
    high >> 12 & 0xF == 7 ? Timestamp(milliseconds: Int64(high >> 16)) : nil
  }

  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      for index in 0..<8 {
        buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - index * 8))
        buffer[index + 8] = UInt8(truncatingIfNeeded: low >> UInt64(56 - index * 8))
      }
      count = 16
    }
  }

  public static func < (left: UniqueID, right: UniqueID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

extension UniqueID: CustomStringConvertible {
  /// The id in lower case, with hyphens.
  public var description: String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      var position = 0
      for index in 0..<32 {
        if index == 8 || index == 12 || index == 16 || index == 20 {
          buffer[position] = UInt8(ascii: "-")
          position += 1
        }
        let word = index < 16 ? high : low
        let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - index % 16 * 4)) & 0xF
        buffer[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        position += 1
      }
      return position
    }
  }
}
