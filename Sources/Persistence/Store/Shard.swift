public import Values

/// Computes the shard of a stream or of a start key.
///
/// The result is stored with every event and decides which process may write it. These two functions are part of the
/// stored format and must never change. A test compares them with fixed values.
public enum Shard {
  /// The number of shards of a new store, unless its creator chooses another number.
  public static let defaultCount = 64
  /// The most shards a store can have.
  public static let maxCount = 1_024

  /// Returns the id's two words folded into one by `high ^ rotl(low, 32)`, mixed by the finalizer of SplitMix64, modulo
  /// `count`.
  public static func of(_ stream: UniqueID, count: Int) -> Int {
    var mixed = stream.high ^ (stream.low << 32 | stream.low >> 32)
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 31
    return Int(mixed % UInt64(count))
  }

  /// Returns the first 8 bytes, big-endian, of the SHA-256 of (length of scope in 4 bytes, big-endian; scope; key),
  /// modulo `count`.
  public static func ofKey(_ scope: String, _ key: String, count: Int) -> Int {
    var bytes: [UInt8] = []
    bytes.appendField(scope.utf8)
    bytes.append(contentsOf: key.utf8)
    let folded = Digest.sha256(bytes).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(folded % UInt64(count))
  }
}

/// The partition of a stream: the UTC month in which the stream began. The stream's id contains it.
public enum StreamMonth {
  /// Returns the month as a number: 202603 for March 2026.
  /// - Throws: `store.invalid` when the id is not of version 7.
  public static func of(_ stream: UniqueID) throws(StoreError) -> Int {
    guard let moment = stream.moment else { throw .invalid("a stream's id must be a version 7 UUID, not \(stream)") }
    let (year, month) = moment.yearAndMonth
    return year * 100 + month
  }
}
