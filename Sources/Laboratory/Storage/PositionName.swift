import Runtime

/// A place for one tube: a well of a box. Written `F80-1/B03/A07`.
public struct PositionName: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The box, with its location: `F80-1/B03`.
  public let box: String
  /// 0 to 95: A1 … A12, B1 … H12.
  public let well: Int

  /// A box has eight rows of twelve.
  public static let wellsPerBox = 96

  /// - Precondition: `well` is one of the box.
  public init(box: String, well: Int) {
    precondition((0..<Self.wellsPerBox).contains(well), "A box has 96 wells; \(well) is none of them")
    self.box = box
    self.well = well
  }

  public init?(_ text: String) {
    guard let slash = text.lastIndex(of: "/"), let well = Self.well(named: text[text.index(after: slash)...]) else {
      return nil
    }
    self.init(box: VisibleText.normal(String(text[..<slash])), well: well)
  }

  /// `A01` and `A1` are the same well.
  static func well(named name: Substring) -> Int? {
    guard let row = name.utf8.first, (0x41...0x48).contains(row),
      name.utf8.dropFirst().allSatisfy({ (0x30...0x39).contains($0) }),
      let column = Int(name.dropFirst()), (1...12).contains(column)
    else { return nil }
    return Int(row - 0x41) * 12 + column - 1
  }

  /// `A07`.
  public var wellName: String {
    let column = well % 12 + 1
    return "\("ABCDEFGH".dropFirst(well / 12).prefix(1))\(column < 10 ? "0" : "")\(column)"
  }

  public var description: String { "\(box)/\(wellName)" }

  public static func < (left: PositionName, right: PositionName) -> Bool {
    (left.box, left.well) < (right.box, right.well)
  }
}
