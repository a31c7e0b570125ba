/// The id of one item of a step with `forEach`: `STEP[KEY]`. Events, calls and operators name the item by it. Neither a
/// step's id nor a key has a bracket.
public struct ItemID: Sendable, Hashable {
  public let step: String
  public let key: String

  /// The most characters of an id: 100 of the step, 100 of the key, and the brackets.
  public static let longest = 202

  public init(step: String, key: String) {
    self.step = step
    self.key = key
  }

  /// Nil when the id is not the id of an item.
  public init?(_ id: String) {
    guard id.utf8.last == UInt8(ascii: "]"), let open = id.utf8.firstIndex(of: UInt8(ascii: "[")) else { return nil }
    let key = id.utf8.index(after: open)..<id.utf8.index(before: id.utf8.endIndex)
    guard open > id.startIndex, !key.isEmpty else { return nil }
    self.init(step: String(id[..<open]), key: String(id[key]))
  }

  public var text: String { "\(step)[\(key)]" }

  /// Returns the id of the workflow's step: of an item, the step that has it.
  public static func step(of id: String) -> String { ItemID(id)?.step ?? id }
}
