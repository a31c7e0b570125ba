import JSON
import Runtime

/// The types of sample that the laboratory takes, each with the zones in which it may be kept.
public enum SampleType: String, Sendable, CaseIterable {
  case blood, tissue, dna, rna, plasma, serum

  /// The zones in which this type may be kept.
  public var zones: Set<Zone> {
    switch self {
    case .blood: [.ambient, .plus4, .minus20, .minus80]
    case .tissue: [.minus80, .nitrogen]
    case .dna: [.ambient, .plus4, .minus20, .minus80]
    case .rna: [.minus80, .nitrogen]
    case .plasma, .serum: [.minus20, .minus80]
    }
  }
}

/// A temperature zone of the storage.
public enum Zone: String, Sendable, CaseIterable, Comparable {
  case ambient
  case plus4 = "+4"
  case minus20 = "-20"
  case minus80 = "-80"
  case nitrogen = "LN2"

  /// Reads a zone as people write it: `-80`, `−80` with the typographic minus, `-80C`, `-80 °C`, `ln2`, `4`.
  public init?(text: String) {
    var spelling = text.replacing("\u{2212}", with: "-").lowercased()
    for suffix in ["°c", "c"] where spelling.hasSuffix(suffix) && spelling.count > suffix.count {
      spelling = String(spelling.dropLast(suffix.count))
      break
    }
    while spelling.hasSuffix(" ") { spelling.removeLast() }
    switch spelling {
    case "ambient", "rt": self = .ambient
    case "+4", "4": self = .plus4
    case "-20": self = .minus20
    case "-80": self = .minus80
    case "ln2": self = .nitrogen
    default: return nil
    }
  }

  private var warmth: Int {
    switch self {
    case .ambient: 4
    case .plus4: 3
    case .minus20: 2
    case .minus80: 1
    case .nitrogen: 0
    }
  }

  /// Colder first.
  public static func < (left: Zone, right: Zone) -> Bool { left.warmth < right.warmth }
}

/// A volume, exact to the nanolitre, so that aliquots add up.
public struct Volume: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let nanolitres: Int

  public init(nanolitres: Int) { self.nanolitres = nanolitres }

  /// - Returns: nil unless it is above 0 and at most 1000 ml.
  public init?(millilitres: Double) {
    guard millilitres > 0, millilitres <= 1000 else { return nil }
    let nanolitres = Int((millilitres * 1_000_000).rounded())
    guard nanolitres > 0 else { return nil }
    self.nanolitres = nanolitres
  }

  public static func < (left: Volume, right: Volume) -> Bool { left.nanolitres < right.nanolitres }

  /// The volume in millilitres.
  var json: JSON { .number(JSONNumber(Double(nanolitres) / 1_000_000)) }
  public var description: String { "\(json.numberValue?.text ?? "") ml" }
}

/// A barcode: 1 to 50 visible characters, with at most single blanks inside, in Unicode's normalization form C.
struct Barcode: Sendable, Hashable, CustomStringConvertible {
  let text: String
  var description: String { text }

  static let rule = "must be 1 to 50 characters that can be seen, with no blank at either end"
  static let longest = 50

  init?(_ text: String) {
    let normal = VisibleText.normal(text)
    guard normal.unicodeScalars.count <= Self.longest, VisibleText.fault(in: normal) == nil else { return nil }
    self.text = normal
  }

  /// Reads a stored barcode, which an earlier rule may have accepted.
  init(stored text: String) { self.text = text }
}
