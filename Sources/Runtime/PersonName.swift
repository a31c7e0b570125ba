import Foundation

/// The name of a person, compared by its appearance. Spellings that look the same are one person.
///
/// Two names look alike when they are equal after these steps, which follow Unicode TR 39:
/// 1. Invisible characters are removed, blanks and punctuation at the ends are trimmed, and a run of blanks becomes one.
/// 2. Compatibility forms become the plain ones (NFKD): `Ａnna`, `𝐀nna`.
/// 3. Letters that look like Latin letters become those: Cyrillic `а`, Greek `Α`. `0` becomes `o`, `1` becomes `l`,
///    `rn` becomes `m`.
/// 4. Upper and lower case become the same.
public struct PersonName: Sendable {
  /// The three forms of the name: as spelled, with a capital `I` read as `i`, and with a capital `I` read as `l`.
  private let readings: Set<String>

  public init(_ text: String) {
    let seen = Self.visible(text.decomposedStringWithCompatibilityMapping)
    readings = [
      Self.folded(seen), Self.folded(Self.skeleton(seen, capitalI: "i")),
      Self.folded(Self.skeleton(seen, capitalI: "l")),
    ]
  }

  /// Returns true when a reader could confuse the two names.
  public func looksLike(_ other: PersonName) -> Bool { !readings.isDisjoint(with: other.readings) }

  /// Returns the first invisible character of a text: a control character, one that only controls how others are shown,
  /// or one without a shape. Nil when all characters are visible.
  public static func invisible(in text: String) -> Unicode.Scalar? { text.unicodeScalars.first(where: isInvisible) }

  /// Returns the name of a character in Unicode's notation: `U+200B`.
  public static func codePoint(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: true
    default: scalar.properties.isDefaultIgnorableCodePoint || scalar == "\u{2800}"
    }
  }

  // MARK: How names are made alike

  private static func visible(_ text: String) -> String {
    var words: [String.UnicodeScalarView] = [.init()]
    for scalar in text.unicodeScalars {
      let isBlank = scalar.properties.isWhitespace || scalar == "\u{2800}"
      if isBlank {
        if words.last?.isEmpty == false { words.append(.init()) }
      } else if !isInvisible(scalar) {
        words[words.count - 1].append(scalar)
      }
    }
    return trimmed(words.filter { !$0.isEmpty }.map { String($0) }.joined(separator: " "))
  }

  /// Removes punctuation at both ends: a full stop behind a name does not make another person. A name of
  /// punctuation alone stays.
  private static func trimmed(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let isPart = { (scalar: Unicode.Scalar) in scalar != " " && !isPunctuation(scalar) }
    guard let first = scalars.firstIndex(where: isPart), let last = scalars.lastIndex(where: isPart) else {
      return text
    }
    return String(scalars[first...last])
  }

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      true
    default: false
    }
  }

  /// Folds through upper case, so `ß` becomes `ss` and a final sigma becomes a sigma.
  private static func folded(_ text: String) -> String {
    text.uppercased().lowercased().decomposedStringWithCanonicalMapping
  }

  private static func skeleton(_ text: String, capitalI: Unicode.Scalar) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      // A dot above an i belongs to the i.
      if scalar == "\u{307}", result.last == "i" || result.last == "j" || result.last == "I" { continue }
      if capitalIs.contains(scalar) {
        result.append(capitalI)
      } else if let value = digit(scalar) {
        result.append(contentsOf: (value == 0 ? "o" : value == 1 ? "l" : "\(value)").unicodeScalars)
      } else {
        result.append(lookalikes[scalar] ?? scalar)
      }
    }
    return String(result).lowercased().replacing("rn", with: "m").replacing("vv", with: "w")
  }

  private static func digit(_ scalar: Unicode.Scalar) -> Int? {
    guard scalar.properties.numericType == .decimal, let value = scalar.properties.numericValue else { return nil }
    return Int(value)
  }

  private static let capitalIs = Set("IІΙӀꓲⲒ".unicodeScalars)

  private static let lookalikes: [Unicode.Scalar: Unicode.Scalar] = {
    var table: [Unicode.Scalar: Unicode.Scalar] = [:]
    for (plain, alike) in likeLatin + likeOther {
      for scalar in alike.unicodeScalars { table[scalar] = plain }
    }
    // Letters in circles and squares without a compatibility form.
    for (first, count) in [(0x1F150, 26), (0x1F170, 26), (0x1F1E6, 26)] as [(UInt32, UInt32)] {
      for index in 0..<count {
        if let from = Unicode.Scalar(first + index), let to = Unicode.Scalar(0x61 + index) { table[from] = to }
      }
    }
    return table
  }()

  /// Letters of other scripts, and rare Latin letters, with the Latin letter that they look like.
  private static let likeLatin: [(Unicode.Scalar, String)] = [
    ("a", "АаΑαɑᴀᎪꭺꓮⲀⲁ⍺Ꭺ"), ("b", "ВвΒβʙЬьᏴꓐⲂⲃƄƅꮟᏏ"), ("c", "СсϹϲᴄᏟꓚⲤⲥꮯ"), ("d", "ԀԁᎠꓓᴅꭰԂԃժ"),
    ("e", "ЕеΕεᴇᎬꓰⲈⲉҽ℮ꬲ"), ("f", "ϜϝꓝꜰꞘꞙẝք"), ("g", "ԌԍɡɢᏀꓖցᶃᏳ"), ("h", "НнΗһҺʜᎻꓧⲎⲏհᏂ"), ("i", "іιɩɪıⲓᎥꙇꭵ˛"),
    ("j", "ЈјϳᎫᴊꓙյȷϳͿ"), ("k", "КкΚκᴋᏦꓗⲔⲕ"), ("l", "ʟᏞꓡӏ|ǀ∣ƖاןⳐⳑ"), ("m", "МмΜᴍᎷꓟⲘⲙϺϻ"), ("n", "ΝηɴꓠⲚⲛпոռ"),
    ("o", "ОоΟοσᴏՕօꓳⲞⲟ○◯〇סهە"), ("p", "РрΡρᴘᏢꓑⲢⲣ"), ("q", "ԚԛզգႭ"), ("r", "гᴦʀᎡᏒꓣⲅꭇꭈᲇ"), ("s", "ЅѕꜱᏚꓢՏƽᏕ"),
    ("t", "ТтΤτᴛᎢꓔⲦⲧ"), ("u", "υսᴜꓴՍʋꭎᴗ"), ("v", "ѴѵνᴠᏙꓦᏤ"), ("w", "ԜԝѡωᴡᎳꓪɯաᏔ"), ("x", "ХхΧχꓫⲬⲭ×᙮"),
    ("y", "УуΥγʏүҮᎩꓬⲨⲩყỿ"),
    ("z", "ΖζᴢᏃꓜⲌⲍ"), ("2", "Ƨƨ"), ("3", "ЗзƷʒӠӡȜȝ"), ("4", "Ꮞ"), ("5", "Ƽ"), ("6", "бᏮ"), ("8", "Ȣȣ"),
  ]

  private static let likeOther: [(Unicode.Scalar, String)] = [
    ("-", "‐‑‒–—―−⁃﹘ー一˗"), ("'", "’‘ʼʹʻ′`´ʽ՚׳ꞌ＇"), (".", "·•․‧∙⋅。・"), ("_", "ˍ﹍﹎﹏"), ("/", "∕⁄╱⟋"), (":", "∶ː꞉׃"),
    (",", "‚٫、"), ("ي", "یى"), ("ك", "ک"), ("力", "カ"), ("口", "ロ"), ("二", "ニ"), ("夕", "タ"), ("卜", "ト"), ("八", "ハ"),
    ("工", "エ"),
  ]
}
