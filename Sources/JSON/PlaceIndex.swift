/// The start of each value and name of a JSON text. One pass builds the index. Then the time of a look-up depends only
/// on the depth of its pointer, not on the size of the text.
struct PlaceIndex: Sendable {
  /// One value. Offsets are in bytes; -1 means none.
  private struct Entry: Sendable {
    var name: Int32
    var value: Int32
    /// The index in `children` at which the list of the value's own members or elements starts.
    var firstChild: Int32 = 0
  }

  private var entries: [Entry] = []
  /// The entries of each container's members or elements, one container after the other.
  private var children: [Int32] = []
  private let lines: LineIndex

  /// The most bytes that an index covers: its offsets have 31 bits.
  static let mostBytes = Int(Int32.max)

  /// - Parameter bytes: a text that has been parsed, of at most `mostBytes`.
  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    lines = LineIndex(bytes)
    read(bytes)
  }

  /// Returns the places of the value at the end of a path of child numbers from the root; nil when the path leads to no
  /// value.
  func find(_ way: [Int], in bytes: UnsafeBufferPointer<UInt8>) -> (name: SourcePlace?, value: SourcePlace)? {
    guard !entries.isEmpty else { return nil }
    var here = 0
    for child in way {
      let position = Int(entries[here].firstChild) + child
      guard children.indices.contains(position) else { return nil }
      here = Int(children[position])
    }
    let entry = entries[here]
    let name = entry.name < 0 ? nil : lines.place(at: Int(entry.name), in: bytes)
    return (name, lines.place(at: Int(entry.value), in: bytes))
  }

  private mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) {
    struct Open {
      let entry: Int
      let isObject: Bool
      /// The index in `waiting` at which the children found so far start.
      let start: Int
    }
    var open: [Open] = []
    /// Children of containers that are still open.
    var waiting: [Int32] = []
    var name: Int32 = -1
    var nameIsNext = false
    var at = 0
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        let isObject = bytes[at] == UInt8(ascii: "{")
        waiting.append(Int32(entries.count))
        open.append(Open(entry: entries.count, isObject: isObject, start: waiting.count))
        entries.append(Entry(name: name, value: Int32(at)))
        name = -1
        nameIsNext = isObject
        at += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if let container = open.popLast() {
          entries[container.entry].firstChild = Int32(children.count)
          children.append(contentsOf: waiting[container.start...])
          waiting.removeSubrange(container.start...)
        }
        at += 1
      case UInt8(ascii: ","):
        nameIsNext = open.last?.isObject ?? false
        at += 1
      case UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09: at += 1
      case let byte:
        if nameIsNext {
          name = Int32(at)
          nameIsNext = false
        } else {
          waiting.append(Int32(entries.count))
          entries.append(Entry(name: name, value: Int32(at)))
          name = -1
        }
        at = byte == UInt8(ascii: "\"") ? Self.endOfString(at, bytes) : Self.endOfWord(at, bytes)
      }
    }
  }

  private static func endOfString(_ start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var at = start + 1
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
    return at + 1
  }

  private static func endOfWord(_ start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var at = start
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), 0x20, 0x0A, 0x0D, 0x09: return at
      default: at += 1
      }
    }
    return at
  }
}

/// The lines and columns of a text at every few hundred bytes. So the place of any byte is a short walk away.
struct LineIndex: Sendable {
  private let marks: [SourcePlace]
  static let stride = 512

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    var counter = PlaceCounter(bytes)
    var marks: [SourcePlace] = []
    marks.reserveCapacity(bytes.count / Self.stride + 1)
    for offset in Swift.stride(from: 0, through: bytes.count, by: Self.stride) {
      marks.append(counter.place(at: offset))
    }
    self.marks = marks
  }

  /// Returns the place of a byte. Walks at most `stride` bytes.
  func place(at offset: Int, in bytes: UnsafeBufferPointer<UInt8>) -> SourcePlace {
    var counter = PlaceCounter(bytes, from: marks[min(offset / Self.stride, marks.count - 1)])
    return counter.place(at: offset)
  }
}
