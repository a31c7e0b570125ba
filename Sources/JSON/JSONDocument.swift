/// A JSON text that knows where its values and names start, for messages about their meaning.
///
/// The places are computed when the first one is requested, so a text without an error has no cost. Therefore only one
/// task may use a document at a time.
public struct JSONDocument {
  public let root: JSON
  private let places: Places

  /// The bytes of the text, and the index that is built from them once.
  private final class Places {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    lazy var index: PlaceIndex? =
      bytes.count <= PlaceIndex.mostBytes ? bytes.withUnsafeBufferPointer { PlaceIndex($0) } : nil
  }

  public init(parsing bytes: [UInt8], limits: JSONLimits = .default) throws(JSONError) {
    root = try JSON(parsing: bytes, limits: limits)
    places = Places(bytes)
  }

  /// Returns the place where the value starts; nil when the pointer leads to no value.
  public func place(of pointer: JSONPointer) -> SourcePlace? { find(pointer)?.value }

  /// Returns the place where the member's name starts; nil for an element of an array and for the root.
  public func placeOfName(_ pointer: JSONPointer) -> SourcePlace? { find(pointer)?.name }

  private func find(_ pointer: JSONPointer) -> (name: SourcePlace?, value: SourcePlace)? {
    var value = root
    var way: [Int] = []
    for token in pointer.tokens {
      switch (token, value) {
      case (.name(let name), .object(let members)):
        guard let position = members.position(of: name) else { return nil }
        way.append(position)
        value = members[position].value
      case (.index(let index), .array(let values)):
        guard values.indices.contains(index) else { return nil }
        way.append(index)
        value = values[index]
      case (.name, _), (.index, _): return nil
      }
    }
    guard let index = places.index else { return nil }
    return places.bytes.withUnsafeBufferPointer { index.find(way, in: $0) }
  }
}
