import Runtime

/// A lane of a flow cell. Written `NOVASEQ-1-FC1/3`.
public struct LaneName: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let flowCell: String
  public let lane: Int

  public init(flowCell: String, lane: Int) {
    self.flowCell = flowCell
    self.lane = lane
  }

  public init?(_ text: String) {
    guard let slash = text.lastIndex(of: "/"), slash > text.startIndex,
      text[text.index(after: slash)...].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let lane = Int(text[text.index(after: slash)...]),
      lane > 0
    else { return nil }
    self.init(flowCell: VisibleText.normal(String(text[..<slash])), lane: lane)
  }

  public var description: String { "\(flowCell)/\(lane)" }

  public static func < (left: LaneName, right: LaneName) -> Bool {
    (left.flowCell, left.lane) < (right.flowCell, right.lane)
  }
}
