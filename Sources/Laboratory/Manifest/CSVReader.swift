/// Reads separated values by RFC 4180 with any separator. Quoted fields may contain separators, line breaks and doubled
/// quotes. Lines end with CRLF or LF, or all of them with CR; the last line may have no end.
struct CSVReader {
  struct Field: Equatable {
    var text: String
    /// The place where it begins, from 1; columns count Unicode scalars.
    let line: Int
    let column: Int
  }

  private let scalars: [Unicode.Scalar]
  private let separator: Unicode.Scalar
  private let endsWithCR: Bool
  private var at = 0
  private var line = 1
  private var column = 1
  private(set) var faults: [ManifestError.Fault] = []
  /// Whether the first record was left out because of an error.
  private(set) var isHeaderFaulty = false

  /// - Parameter firstLine: the number of the text's first line in its file.
  init(_ text: String, separator: Unicode.Scalar = ",", firstLine: Int = 1) {
    scalars = Array(text.unicodeScalars)
    self.separator = separator
    endsWithCR = !scalars.contains("\n")
    line = firstLine
  }

  /// Returns every record. Empty lines are skipped. A record with an error is noted in `faults` and left out.
  mutating func records() -> [[Field]] {
    var records: [[Field]] = []
    while at < scalars.count {
      if takeLineEnd() { continue }
      let before = faults.count
      let record = record()
      if faults.count == before {
        records.append(record)
      } else if records.isEmpty, before == 0 {
        isHeaderFaulty = true
      }
    }
    return records
  }

  private mutating func record() -> [Field] {
    var fields: [Field] = []
    while true {
      fields.append(field())
      if at == scalars.count || takeLineEnd() { return fields }
      if scalars[at] != separator {
        note("a quoted field ends with its quote; here follows something else")
        while at < scalars.count, scalars[at] != separator, !isLineEnd { advance() }
        if at == scalars.count || takeLineEnd() { return fields }
      }
      advance()
    }
  }

  private mutating func field() -> Field {
    var field = Field(text: "", line: line, column: column)
    guard at < scalars.count, scalars[at] == "\"" else {
      var isNoted = false
      while at < scalars.count, scalars[at] != separator, !isLineEnd {
        if !isNoted, scalars[at] == "\"" || scalars[at] == "\r" {
          isNoted = true
          note(
            scalars[at] == "\r"
              ? "a carriage return without a line feed"
              : field.text.hasPrefix("=")
                ? "the field is a formula; export values, not formulas"
                : "the field contains a quote but doesn't begin with one"
          )
        }
        field.text.unicodeScalars.append(scalars[at])
        advance()
      }
      return field
    }
    advance()
    while true {
      guard at < scalars.count else {
        faults.append(.init(field, "the quote that begins here isn't closed"))
        return field
      }
      if scalars[at] == "\"" {
        advance()
        guard at < scalars.count, scalars[at] == "\"" else { return field }
      }
      field.text.unicodeScalars.append(scalars[at])
      advance()
    }
  }

  private var isLineEnd: Bool {
    if scalars[at] == "\r" { return endsWithCR || at + 1 < scalars.count && scalars[at + 1] == "\n" }
    return scalars[at] == "\n"
  }

  private mutating func takeLineEnd() -> Bool {
    guard isLineEnd else { return false }
    if scalars[at] == "\r", !endsWithCR { advance() }
    advance()
    return true
  }

  private mutating func advance() {
    if scalars[at] == "\n" || scalars[at] == "\r" && endsWithCR {
      line += 1
      column = 1
    } else {
      column += 1
    }
    at += 1
  }

  private mutating func note(_ reason: String) {
    faults.append(.init(LabErrorCode.manifestSyntax, line: line, column: column, reason))
  }
}
