/// A shard, an epoch and a position in the 63 bits that a producer's token has.
enum EchoToken {
  private static let epochMask: UInt64 = 0xFFF

  static func make(shard: Int, epoch: UInt64, position: Int64) -> UInt64 {
    UInt64(shard) << 52 | (epoch & epochMask) << 40 | UInt64(position) & 0xFF_FFFF_FFFF
  }

  static func shard(_ token: UInt64) -> Int { Int(token >> 52) }
  static func position(_ token: UInt64) -> Int64 { Int64(token & 0xFF_FFFF_FFFF) }

  /// Returns the whole epoch; the token has only its last bits.
  static func epoch(_ token: UInt64, near current: UInt64) -> UInt64 {
    let bits = token >> 40 & epochMask
    return current & epochMask == bits ? current : bits
  }
}
