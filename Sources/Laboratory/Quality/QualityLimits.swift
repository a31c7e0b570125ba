import JSON

/// The limits within which a sample passes quality control. The workflow sends them.
struct QualityLimits: Sendable, Equatable {
  /// Of the concentration, in ng/µl.
  var leastNgPerUl: Amount
  var mostNgPerUl: Amount
  /// Of the volume, in µl.
  var leastUl: Amount
  /// Of the mass, in ng.
  var leastNg: Amount
  /// Of the integrity number. It is only for RNA.
  var leastRIN: Amount

  /// - Throws: a refusal that names every limit that is missing or wrong.
  init(_ fields: inout Fields) throws(LabRefusal) {
    let names = ["leastNgPerUl", "mostNgPerUl", "leastUl", "leastNg", "leastRin"]
    let amounts = names.compactMap { fields.amount($0, isRequired: true) }
    try fields.check()
    guard amounts.count == names.count else { throw .invalid(fields.places) }
    (leastNgPerUl, mostNgPerUl, leastUl, leastNg, leastRIN) = (
      amounts[0], amounts[1], amounts[2], amounts[3], amounts[4]
    )
  }

  init(leastNgPerUl: Amount, mostNgPerUl: Amount, leastUl: Amount, leastNg: Amount, leastRIN: Amount) {
    self.leastNgPerUl = leastNgPerUl
    self.mostNgPerUl = mostNgPerUl
    self.leastUl = leastUl
    self.leastNg = leastNg
    self.leastRIN = leastRIN
  }

  /// Returns the reasons why a sample fails; empty for a sample that passes. A value that was not measured is a reason.
  func reasons(against reading: Measurement.Reading, of type: SampleType) -> [String] {
    var reasons: [String] = []
    if let ngPerUl = reading.ngPerUl {
      if ngPerUl < leastNgPerUl { reasons.append("\(ngPerUl) ng/µl is below \(leastNgPerUl)") }
      if ngPerUl > mostNgPerUl { reasons.append("\(ngPerUl) ng/µl is above \(mostNgPerUl)") }
    } else {
      reasons.append("the concentration is missing")
    }
    if let volumeUl = reading.volumeUl {
      if volumeUl < leastUl { reasons.append("\(volumeUl) µl is below \(leastUl)") }
    } else {
      reasons.append("the volume is missing")
    }
    if let mass = reading.massMillionths, mass < leastNg.thousandths * 1_000 {
      reasons.append("\(Measurement.Reading.massJSON(mass).text()) ng is below \(leastNg)")
    }
    guard type == .rna else { return reasons }
    if let rin = reading.rin {
      if rin < leastRIN { reasons.append("RIN \(rin) is below \(leastRIN)") }
    } else {
      reasons.append("the RIN is missing")
    }
    return reasons
  }
}

extension Measurement.Reading {
  /// The mass in millionths of a ng; nil when the concentration or the volume was not measured.
  var massMillionths: Int? {
    guard let ngPerUl, let volumeUl else { return nil }
    return ngPerUl.millionths(times: volumeUl)
  }

  /// Returns a mass in ng.
  static func massJSON(_ millionths: Int) -> JSON { .number(JSONNumber(Double(millionths) / 1_000_000)) }

  /// Returns the readings of two instruments in one.
  func joined(with other: Measurement.Reading) -> Measurement.Reading {
    Measurement.Reading(
      ngPerUl: ngPerUl ?? other.ngPerUl, volumeUl: volumeUl ?? other.volumeUl, sizeBp: sizeBp ?? other.sizeBp,
      rin: rin ?? other.rin)
  }
}
