import JSON
import Values

/// What the analyzer has measured of a library.
struct LibraryReading: Sendable, Equatable {
  /// The concentration in ng/µl.
  var ngPerUl: Amount
  /// The mean length of the fragments in base pairs.
  var sizeBp: Int

  /// The longest fragments, in base pairs. The molarity is then exact in 64 bits.
  static let longest = 100_000
  /// The mass of a base pair in g/mol.
  static let gramsPerMole = 660

  /// The molarity in nM, rounded down to a thousandth.
  var molarity: Amount {
    Amount(thousandths: ngPerUl.thousandths * 1_000_000 / (Self.gramsPerMole * sizeBp))
  }

  var json: JSONObject { ["ngPerUl": ngPerUl.json, "sizeBp": .int(sizeBp)] }
}

extension LibraryReading {
  init(_ members: StoredMembers) throws(UnreadableEvent) {
    guard let ngPerUl = try members.amount("ngPerUl") else { throw members.wrong("ngPerUl", "an amount") }
    self.init(ngPerUl: ngPerUl, sizeBp: try members.int("sizeBp"))
  }

  /// - Throws: a refusal that names every value that is missing or wrong.
  init(_ fields: inout Fields) throws(LabRefusal) {
    let ngPerUl = fields.amount("ngPerUl", isRequired: true)
    let sizeBp = fields.size("sizeBp")
    self.init(ngPerUl: try fields.checked(ngPerUl), sizeBp: try fields.checked(sizeBp))
  }
}

/// The limits within which a library passes its quality control. The workflow sends them.
struct LibraryLimits: Sendable, Equatable {
  /// Of the molarity, in nM.
  var leastNM: Amount
  /// Of the mean length of the fragments, in base pairs.
  var leastBp: Int
  var mostBp: Int

  /// Returns the reasons why a library fails; empty for a library that passes. The limits apply without rounding.
  func reasons(against reading: LibraryReading) -> [String] {
    var reasons: [String] = []
    let needed = leastNM.thousandths * LibraryReading.gramsPerMole * reading.sizeBp
    if reading.ngPerUl.thousandths * 1_000_000 < needed { reasons.append("\(reading.molarity) nM is below \(leastNM)") }
    if reading.sizeBp < leastBp { reasons.append("\(reading.sizeBp) bp is below \(leastBp)") }
    if reading.sizeBp > mostBp { reasons.append("\(reading.sizeBp) bp is above \(mostBp)") }
    return reasons
  }

  var json: JSONObject { ["leastNM": leastNM.json, "leastBp": .int(leastBp), "mostBp": .int(mostBp)] }
}

extension LibraryLimits {
  init(_ members: StoredMembers) throws(UnreadableEvent) {
    guard let leastNM = try members.amount("leastNM") else { throw members.wrong("leastNM", "an amount") }
    self.init(leastNM: leastNM, leastBp: try members.int("leastBp"), mostBp: try members.int("mostBp"))
  }

  /// - Throws: a refusal that names every limit that is missing or wrong.
  init(_ fields: inout Fields) throws(LabRefusal) {
    let leastNM = fields.amount("leastNM", isRequired: true)
    let leastBp = fields.size("leastBp")
    let mostBp = fields.size("mostBp")
    self.init(
      leastNM: try fields.checked(leastNM), leastBp: try fields.checked(leastBp), mostBp: try fields.checked(mostBp))
  }
}

extension Fields {
  /// Returns a length of fragments in base pairs.
  fileprivate mutating func size(_ name: String) -> Int? {
    let longest = LibraryReading.longest
    return read(name, "must be an integer from 1 to \(longest)", isRequired: true) { value in
      value.intValue.flatMap { (1...longest).contains($0) ? $0 : nil }
    }
  }
}
