/// A place in a JSON text, as an editor shows it.
public struct SourcePlace: Sendable, Hashable {
  /// The line, from 1. A line ends with a line feed, a carriage return, or both.
  public let line: Int
  /// The column, from 1, in Unicode scalars.
  public let column: Int
  /// The offset, from 0, in bytes.
  public let offset: Int

  public init(line: Int, column: Int, offset: Int) {
    self.line = line
    self.column = column
    self.offset = offset
  }
}

/// Walks forward over bytes and knows the line and column of its place.
struct PlaceCounter {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0
  private var line = 1
  private var column = 1

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Continues from a place that another walk over the same bytes found.
  init(_ bytes: UnsafeBufferPointer<UInt8>, from start: SourcePlace) {
    self.bytes = bytes
    offset = start.offset
    line = start.line
    column = start.column
  }

  /// - Parameter target: the offset; at or after the last requested one.
  mutating func place(at target: Int) -> SourcePlace {
    while offset < min(target, bytes.count) {
      let byte = bytes[offset]
      offset += 1
      let endsLine = byte == 0x0A || (byte == 0x0D && !(offset < bytes.count && bytes[offset] == 0x0A))
      if endsLine {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {
        column += 1
      }
    }
    return SourcePlace(line: line, column: column, offset: offset)
  }
}
