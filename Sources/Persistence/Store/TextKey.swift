/// A key of texts that are compared byte by byte. `String` treats some texts with different bytes as equal.
package struct TextKey: Sendable, Hashable, Comparable {
  private let parts: [[UInt8]]

  package init(_ parts: String...) { self.parts = parts.map { Array($0.utf8) } }

  package static func < (left: TextKey, right: TextKey) -> Bool {
    for (one, other) in zip(left.parts, right.parts) where one != other { return one.lexicographicallyPrecedes(other) }
    return left.parts.count < right.parts.count
  }
}
