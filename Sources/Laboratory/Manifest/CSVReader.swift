/// Reads comma-separated values as RFC 4180 has them: quoted fields may hold commas, line breaks and doubled quotes;
/// lines end with CRLF or LF; the last needn't.
struct CSVReader {
  struct Field: Equatable {
    var text: String
    /// Where it begins, from 1; columns in Unicode scalars.
    let line: Int
    let column: Int
  }

  private let scalars: [Unicode.Scalar]
  private var at = 0
  private var line = 1
  private var column = 1

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  /// Every record; a line with nothing on it is none.
  mutating func records() throws(ManifestError) -> [[Field]] {
    var records: [[Field]] = []
    while at < scalars.count {
      if takeLineEnd() { continue }
      records.append(try record())
    }
    return records
  }

  private mutating func record() throws(ManifestError) -> [Field] {
    var fields: [Field] = []
    while true {
      fields.append(try field())
      if at == scalars.count || takeLineEnd() { return fields }
      guard scalars[at] == "," else { throw wrong("a quoted field ends with its quote; here follows something else") }
      advance()
    }
  }

  private mutating func field() throws(ManifestError) -> Field {
    var field = Field(text: "", line: line, column: column)
    guard at < scalars.count, scalars[at] == "\"" else {
      while at < scalars.count, scalars[at] != ",", !isLineEnd {
        guard scalars[at] != "\"" else { throw wrong("a quote stands in a field that doesn't begin with one") }
        guard scalars[at] != "\r" else { throw wrong("a carriage return without a line feed") }
        field.text.unicodeScalars.append(scalars[at])
        advance()
      }
      return field
    }
    advance()
    while true {
      guard at < scalars.count else {
        throw ManifestError(
          LabErrorCode.manifestSyntax, line: field.line, column: field.column, "the quote that begins here isn't closed"
        )
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
    scalars[at] == "\n" || scalars[at] == "\r" && at + 1 < scalars.count && scalars[at + 1] == "\n"
  }

  private mutating func takeLineEnd() -> Bool {
    guard isLineEnd else { return false }
    if scalars[at] == "\r" { advance() }
    advance()
    return true
  }

  private mutating func advance() {
    if scalars[at] == "\n" {
      line += 1
      column = 1
    } else {
      column += 1
    }
    at += 1
  }

  private func wrong(_ reason: String) -> ManifestError {
    ManifestError(LabErrorCode.manifestSyntax, line: line, column: column, reason)
  }
}
