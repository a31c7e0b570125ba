import Foundation

/// The progress of a client of the live stream: a position for each shard. The text is opaque to clients, which send it
/// back as `Last-Event-ID`.
struct LiveCursor: Sendable, Hashable {
  /// By shard: the last position that the client knows.
  var positions: [Int64]

  init(positions: [Int64]) { self.positions = positions }

  /// - Returns: nil for a text that is not a cursor over this number of shards.
  init?(_ text: String, shards: Int) {
    let standard = text.replacing("-", with: "+").replacing("_", with: "/")
    let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
    guard let data = Data(base64Encoded: standard + padding) else { return nil }
    var positions: [Int64] = []
    var value: UInt64 = 0
    var shift: UInt64 = 0
    for byte in data {
      guard shift < 63 else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte & 0x80 != 0 { continue }
      guard let position = Int64(exactly: value) else { return nil }
      positions.append(position)
      (value, shift) = (0, 0)
    }
    guard shift == 0, positions.count == shards else { return nil }
    self.positions = positions
  }

  /// Seven bits a byte, because most shards of a young store need one or two bytes; then base64 for URLs.
  var text: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(positions.count * 3)
    for position in positions {
      var rest = UInt64(clamping: position)
      while rest >= 0x80 {
        bytes.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
      }
      bytes.append(UInt8(rest))
    }
    return Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
      "=", with: "")
  }

  /// Returns the number of events between this cursor and a later one. Nil when this one is ahead in a shard, so that
  /// it belongs to another store.
  func distance(to later: LiveCursor) -> Int64? {
    var sum: Int64 = 0
    for (here, there) in zip(positions, later.positions) {
      guard here <= there else { return nil }
      sum += there - here
    }
    return sum
  }
}
