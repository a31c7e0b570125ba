import JSON
import Values

/// A measured amount, exact to a thousandth. Limits are compared without rounding.
struct Amount: Sendable, Hashable, Comparable, CustomStringConvertible {
  let thousandths: Int

  /// The largest amount. The product of two amounts is then exact as a JSON number.
  static let most = 50_000
  static let rule = "must be a number from 0 to \(most) with at most three decimals"

  init(thousandths: Int) { self.thousandths = thousandths }

  /// - Returns: nil for a number below 0, above `most`, with more than three decimals, or a fraction with an exponent.
  init?(_ number: JSONNumber) {
    if let whole = number.intValue {
      guard (0...Self.most).contains(whole) else { return nil }
      self.init(thousandths: whole * 1_000)
      return
    }
    let parts = number.text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].first != "-", let whole = Int(parts[0]), (0..<Self.most).contains(whole) else {
      return nil
    }
    var fraction = parts[1]
    while fraction.last == "0" { fraction.removeLast() }
    guard (1...3).contains(fraction.utf8.count), fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let part = Int(fraction + String(repeating: "0", count: 3 - fraction.utf8.count))
    else { return nil }
    self.init(thousandths: whole * 1_000 + part)
  }

  static func < (left: Amount, right: Amount) -> Bool { left.thousandths < right.thousandths }

  /// Returns the product of two amounts, in millionths.
  func millionths(times other: Amount) -> Int { thousandths * other.thousandths }

  var json: JSON { .number(JSONNumber(Double(thousandths) / 1_000)) }
  var description: String { json.text() }
}

extension Fields {
  mutating func amount(_ name: String, isRequired: Bool) -> Amount? {
    read(name, Amount.rule, isRequired: isRequired) { $0.numberValue.flatMap { Amount($0) } }
  }
}

extension StoredMembers {
  func amount(_ name: String) throws(UnreadableEvent) -> Amount? {
    try optional(name, "an amount") { $0.numberValue.flatMap { Amount($0) } }
  }
}
