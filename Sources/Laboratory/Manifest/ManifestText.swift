/// The text of a manifest file: its encoding, and how names in it are compared.
enum ManifestText {
  /// Decodes UTF-8, with or without a byte order mark, or UTF-16 with one, as spreadsheets write them.
  static func decode(_ bytes: [UInt8]) throws(ManifestError) -> String {
    if bytes.starts(with: [0xFF, 0xFE]) { return try utf16(bytes.dropFirst(2), isBig: false) }
    if bytes.starts(with: [0xFE, 0xFF]) { return try utf16(bytes.dropFirst(2), isBig: true) }
    let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    if let at = content.firstIndex(of: 0) {
      throw wrong(line(of: at, in: content), "the file has a NUL; save it as “CSV UTF-8”")
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw wrong(
        line(of: content.startIndex + validPrefix(of: content), in: content),
        "the line is not UTF-8, but Latin-1 or the like; save the file as “CSV UTF-8”")
    }
    return text
  }

  private static func utf16(_ bytes: ArraySlice<UInt8>, isBig: Bool) throws(ManifestError) -> String {
    let bytes = Array(bytes)
    var units: [UInt16] = []
    for at in stride(from: 0, to: bytes.count - 1, by: 2) {
      let (first, second) = (UInt16(bytes[at]), UInt16(bytes[at + 1]))
      units.append(isBig ? first << 8 | second : second << 8 | first)
    }
    guard bytes.count.isMultiple(of: 2), let text = String(validating: units, as: UTF16.self) else {
      throw wrong(1, "the file begins as UTF-16 and goes on as something else; save it as “CSV UTF-8”")
    }
    return text
  }

  private static func wrong(_ line: Int, _ reason: String) -> ManifestError {
    ManifestError([.init(LabErrorCode.manifestSyntax, line: line, column: 1, reason)])
  }

  private static func line(of index: Int, in content: ArraySlice<UInt8>) -> Int {
    content[..<min(index, content.endIndex)].count { $0 == UInt8(ascii: "\n") } + 1
  }

  /// Returns the number of bytes from the start, in whole lines, that are UTF-8.
  private static func validPrefix(of bytes: ArraySlice<UInt8>) -> Int {
    var end = 0
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      guard String(validating: bytes.dropFirst(end).prefix(index - end), as: UTF8.self) != nil else { return end }
      end = index + 1
    }
    return end
  }

  /// Returns the first line without its end, and the rest.
  static func firstLine(of text: String) -> (line: String, rest: String) {
    let scalars = text.unicodeScalars
    guard let end = scalars.firstIndex(where: { $0 == "\n" || $0 == "\r" }) else { return (text, "") }
    var next = scalars.index(after: end)
    if scalars[end] == "\r", next < scalars.endIndex, scalars[next] == "\n" { next = scalars.index(after: next) }
    return (String(scalars[..<end]), String(scalars[next...]))
  }

  /// Returns a column's name in comparable form: its letters and digits, in lower case. `Patient ID`, `patient_id` and
  /// `patientId` are the same.
  static func key(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.lowercased().unicodeScalars.filter { $0.properties.isAlphabetic || $0.properties.numericType != nil }))
  }

  /// Returns whether no character of the text is visible.
  static func isBlank(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
      $0.properties.isWhitespace || $0.properties.isDefaultIgnorableCodePoint
        || $0.properties.generalCategory == .control
    }
  }
}
