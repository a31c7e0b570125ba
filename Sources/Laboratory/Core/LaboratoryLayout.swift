/// The laboratory's equipment: the boxes in their locations, and the instruments.
public struct LaboratoryLayout: Sendable, Hashable {
  /// A freezer, a fridge, a shelf, a tank.
  public struct Location: Sendable, Hashable {
    public let name: String
    public let zone: Zone
    /// The number of boxes; a box takes 96 tubes.
    public let boxes: Int
    /// The largest tube that its boxes take.
    public let largestTube: Volume

    /// `F80-1/B01`, …
    public var boxNames: [String] { (1...max(1, boxes)).prefix(boxes).map { "\(name)/B\($0 < 10 ? "0" : "")\($0)" } }
  }

  /// A sequencer and the flow cells that are ready for it.
  public struct Instrument: Sendable, Hashable {
    public let name: String
    public let flowCells: [String]
    public let lanesPerFlowCell: Int

    /// Every lane, in order.
    public var lanes: [LaneName] {
      flowCells.flatMap { cell in (1...max(1, lanesPerFlowCell)).map { LaneName(flowCell: cell, lane: $0) } }
    }
  }

  public let locations: [Location]
  public let instruments: [Instrument]

  /// Returns a layout with every zone and two sequencers. Each zone has a freezer for tubes and a cupboard for large vessels.
  /// - Parameter boxesPerZone: the number of boxes of 96 small tubes in each zone. A fifth as many, at least one, take
  ///   vessels of up to a litre.
  public static func standard(boxesPerZone: Int = 40) -> LaboratoryLayout {
    let names: [(Zone, String)] = [
      (.ambient, "RT"), (.plus4, "C4"), (.minus20, "F20"), (.minus80, "F80"), (.nitrogen, "LN2"),
    ]
    let locations = names.flatMap { zone, name in
      [
        Location(
          name: "\(name)-1", zone: zone, boxes: boxesPerZone, largestTube: Volume(nanolitres: 50_000_000)),
        Location(
          name: "\(name)-L", zone: zone, boxes: max(1, boxesPerZone / 5),
          largestTube: Volume(nanolitres: 1_000_000_000)),
      ]
    }
    let instruments = ["NOVASEQ-1", "NEXTSEQ-1"].map { name in
      Instrument(name: name, flowCells: (1...8).map { "\(name)-FC\($0)" }, lanesPerFlowCell: 8)
    }
    return LaboratoryLayout(locations: locations, instruments: instruments)
  }

  /// Returns the location of a box; nil for an unknown box.
  func location(ofBox box: String) -> Location? {
    guard let slash = box.lastIndex(of: "/") else { return nil }
    return locations.first { $0.name == box[..<slash] && $0.boxNames.contains(box) }
  }
}
