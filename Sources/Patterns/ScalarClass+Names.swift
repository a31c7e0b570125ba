// The classes and the names that ECMA-262 gives to sets of scalars.

extension ScalarClass {
  /// The ranges of `\d`.
  static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  /// The ranges of `\w`.
  static let wordRanges: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
  /// The ranges of `\s`: white space and line ends.
  static let spaces: [ClosedRange<UInt32>] = [
    0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
    0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
  ]

  /// The class of `\w`.
  static let word: ScalarClass = {
    var word = ScalarClass()
    for range in wordRanges { word.insert(range) }
    word.seal()
    return word
  }()

  /// The class of ECMA-262's dot: all scalars except line ends.
  static let wideDot: ScalarClass = {
    var dot = ScalarClass()
    dot.insert(outside: [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029])
    dot.seal()
    return dot
  }()

  /// Adds the scalars of `\p{…}`, or with `isNegated` those of `\P{…}`. Returns false when the name is unknown.
  mutating func insert(propertyNamed name: String, isNegated: Bool) -> Bool {
    if let ranges = Self.rangesByName[name] {
      if isNegated { insert(outside: ranges) } else { for range in ranges { insert(range) } }
      return true
    }
    if let mask = Self.mask(ofCategory: name) {
      insert(categories: isNegated ? Self.allCategories ^ mask : mask)
      return true
    }
    guard let property = ScalarProperty.named(name) else { return false }
    insert(property, isNegated: isNegated)
    return true
  }

  private static let rangesByName: [String: [ClosedRange<UInt32>]] = [
    "Any": [0...last], "ASCII": [0...0x7F],
    "ASCII_Hex_Digit": [0x30...0x39, 0x41...0x46, 0x61...0x66], "AHex": [0x30...0x39, 0x41...0x46, 0x61...0x66],
    // A text of Unicode scalars has no surrogates.
    "Surrogate": [0xD800...0xDFFF], "Cs": [0xD800...0xDFFF],
  ]

  private static func mask(ofCategory name: String) -> UInt32? {
    var name = name[...]
    for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
    switch name {
    case "Assigned": return mask(named: "Cn").map { allCategories ^ $0 }
    case "LC", "Cased_Letter":
      return ["Lu", "Ll", "Lt"].reduce(0) { $0 | (mask(named: $1) ?? 0) }
    default: return mask(named: longNames[String(name)] ?? String(name))
    }
  }

  private static let longNames = [
    "Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Titlecase_Letter": "Lt",
    "Modifier_Letter": "Lm", "Other_Letter": "Lo", "Mark": "M", "Combining_Mark": "M", "Nonspacing_Mark": "Mn",
    "Spacing_Mark": "Mc", "Enclosing_Mark": "Me", "Number": "N", "Decimal_Number": "Nd", "digit": "Nd",
    "Letter_Number": "Nl", "Other_Number": "No", "Punctuation": "P", "punct": "P", "Connector_Punctuation": "Pc",
    "Dash_Punctuation": "Pd", "Open_Punctuation": "Ps", "Close_Punctuation": "Pe", "Initial_Punctuation": "Pi",
    "Final_Punctuation": "Pf", "Other_Punctuation": "Po", "Symbol": "S", "Math_Symbol": "Sm",
    "Currency_Symbol": "Sc", "Modifier_Symbol": "Sk", "Other_Symbol": "So", "Separator": "Z",
    "Space_Separator": "Zs", "Line_Separator": "Zl", "Paragraph_Separator": "Zp", "Other": "C", "Control": "Cc",
    "cntrl": "Cc", "Format": "Cf", "Private_Use": "Co", "Unassigned": "Cn",
  ]
}

/// A property of scalars that is either true or false.
enum ScalarProperty: Sendable {
  case alphabetic
  case whiteSpace
  case uppercase
  case lowercase
  case math
  case hexDigit
  case idStart
  case idContinue
  case ideographic
  case emoji

  /// Returns the property with this name or short name.
  static func named(_ name: String) -> ScalarProperty? {
    switch name {
    case "Alphabetic", "Alpha": .alphabetic
    case "White_Space", "space": .whiteSpace
    case "Uppercase", "Upper": .uppercase
    case "Lowercase", "Lower": .lowercase
    case "Math": .math
    case "Hex_Digit", "Hex": .hexDigit
    case "ID_Start", "IDS": .idStart
    case "ID_Continue", "IDC": .idContinue
    case "Ideographic", "Ideo": .ideographic
    case "Emoji": .emoji
    default: nil
    }
  }

  func holds(for scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    return switch self {
    case .alphabetic: properties.isAlphabetic
    case .whiteSpace: properties.isWhitespace
    case .uppercase: properties.isUppercase
    case .lowercase: properties.isLowercase
    case .math: properties.isMath
    case .hexDigit: properties.isHexDigit
    case .idStart: properties.isIDStart
    case .idContinue: properties.isIDContinue
    case .ideographic: properties.isIdeographic
    case .emoji: properties.isEmoji
    }
  }
}
