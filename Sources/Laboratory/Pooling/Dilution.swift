import JSON
import Values

/// A dilution of a library for one pool: a volume of the library, and the diluent that is added.
struct Dilution: Sendable, Equatable {
  /// The concentration of the dilution in nM.
  var nM: Amount
  /// The volume of the dilution in µl.
  var volumeUl: Amount
  /// The volume that is drawn from the library, in µl.
  var drawUl: Amount

  /// The volume of the diluent in µl. Both volumes add up exactly.
  var diluentUl: Amount { Amount(thousandths: volumeUl.thousandths - drawUl.thousandths) }

  /// The largest concentration in nM, and the largest volume in µl. With `LibraryStock.longest` every product of a dilution
  /// is exact in 64 bits, and the volume of a pool is an `Amount`.
  static let mostNM = 1_000
  static let mostUl = 100

  var json: JSONObject {
    [
      "nM": nM.json, "volumeUl": volumeUl.json, "drawUl": drawUl.json, "diluentUl": diluentUl.json,
    ]
  }
}

extension Dilution {
  init(_ members: StoredMembers) throws(UnreadableEvent) {
    func amount(_ name: String) throws(UnreadableEvent) -> Amount {
      guard let amount = try members.amount(name) else { throw members.wrong(name, "an amount") }
      return amount
    }
    self.init(nM: try amount("nM"), volumeUl: try amount("volumeUl"), drawUl: try amount("drawUl"))
  }
}

extension Fields {
  /// Returns an amount above 0.
  mutating func amount(_ name: String, atMost most: Int) -> Amount? {
    read(name, "must be a number above 0 and at most \(most) with at most three decimals", isRequired: true) {
      $0.numberValue.flatMap { Amount($0) }.flatMap { (1...most * 1_000).contains($0.thousandths) ? $0 : nil }
    }
  }
}
