/// A JSON text that remembers where its values and names stand, for messages about what they mean.
public struct JSONDocument: Sendable {
  public let root: JSON
  private let places: [Places]

  /// Of one value; a value's descendants follow it directly.
  private struct Places {
    var name: SourcePlace?
    var value: SourcePlace
    /// How many values this one is, with all inside it.
    var size: Int
  }

  public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
    root = try JSON(parsing: bytes, limits: limits)
    places = bytes.withUnsafeBufferPointer { buffer in
      var walk = PlaceWalk(buffer)
      return walk.places(of: buffer)
    }
  }

  /// Where the value starts.
  public func place(of pointer: JSONPointer) -> SourcePlace? { find(pointer)?.value }

  /// Where the name of the member starts; nil for an element of an array and for the root.
  public func placeOfName(_ pointer: JSONPointer) -> SourcePlace? { find(pointer)?.name }

  private func find(_ pointer: JSONPointer) -> Places? {
    var value = root
    var here = 0
    for token in pointer.tokens {
      let wanted: Int
      switch (token, value) {
      case (.name(let name), .object(let members)):
        guard let position = members.position(of: name) else { return nil }
        wanted = position
        value = members[position].value
      case (.index(let index), .array(let values)):
        guard values.indices.contains(index) else { return nil }
        wanted = index
        value = values[index]
      default: return nil
      }
      here += 1
      for _ in 0..<wanted { here += places[here].size }
    }
    return places[here]
  }

  /// One pass over bytes that are known to be a JSON text.
  private struct PlaceWalk {
    private var counter: PlaceCounter

    init(_ bytes: UnsafeBufferPointer<UInt8>) { counter = PlaceCounter(bytes) }

    mutating func places(of bytes: UnsafeBufferPointer<UInt8>) -> [Places] {
      var places: [Places] = []
      // The arrays and objects that are open, by where they stand in `places`.
      var open: [(container: Int, isObject: Bool)] = []
      var name: SourcePlace?
      var nameIsNext = false
      var at = 0
      while at < bytes.count {
        switch bytes[at] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
          let isObject = bytes[at] == UInt8(ascii: "{")
          places.append(Places(name: name, value: counter.place(at: at), size: 1))
          open.append((places.count - 1, isObject))
          name = nil
          nameIsNext = isObject
          at += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if let (container, _) = open.popLast() { places[container].size = places.count - container }
          at += 1
        case UInt8(ascii: ","):
          nameIsNext = open.last?.isObject ?? false
          at += 1
        case UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09: at += 1
        case let byte:
          let place = counter.place(at: at)
          if nameIsNext {
            name = place
            nameIsNext = false
          } else {
            places.append(Places(name: name, value: place, size: 1))
            name = nil
          }
          at = byte == UInt8(ascii: "\"") ? endOfString(at, bytes) : endOfWord(at, bytes)
        }
      }
      return places
    }

    private func endOfString(_ start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
      var at = start + 1
      while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
      return at + 1
    }

    private func endOfWord(_ start: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Int {
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
}
