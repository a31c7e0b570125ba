/// A JSON number. Integers of up to 64 bits are exact. Every other number keeps its original text, so it is written as
/// it was read. Numbers are compared by value (`1`, `1.0` and `1e0` are equal).
public struct JSONNumber: Sendable {
  enum Storage: Sendable {
    case integer(Int64)
    /// A number with a fraction, an exponent, or more than 64 bits: its text and the nearest Double.
    case decimal(text: String, value: Double)
  }
  let storage: Storage

  public init(_ value: Int) { storage = .integer(Int64(value)) }
  public init(_ value: Int64) { storage = .integer(value) }

  /// - Parameter value: a finite number, because JSON has no others.
  public init(_ value: Double) {
    precondition(value.isFinite, "JSON has no number for \(value)")
    if let integer = Int64(exactly: value), value.sign == .plus || integer != 0 {
      storage = .integer(integer)
    } else {
      storage = .decimal(text: "\(value)", value: value)
    }
  }

  init(storage: Storage) { self.storage = storage }

  /// The exact integer in any spelling (`2`, `2.0`, `20e-1`); nil when it has a fraction or does not fit.
  public var intValue: Int? {
    switch storage {
    case .integer(let value): return Int(value)
    case .decimal(let text, _): return Int(DecimalDigits(text).text)
    }
  }

  public var doubleValue: Double {
    switch storage {
    case .integer(let value): Double(value)
    case .decimal(_, let value): value
    }
  }

  /// The upper bound of the bytes of `text`: 20 for an integer. It is known without writing the text.
  public var textLength: Int {
    switch storage {
    case .integer: 20
    case .decimal(let text, _): text.utf8.count
    }
  }

  /// The number as JSON text.
  public var text: String {
    switch storage {
    case .integer(let value): "\(value)"
    case .decimal(let text, _): text
    }
  }
}
