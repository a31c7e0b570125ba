import JSON
import JSONSchema

/// Collects the findings for one file, and knows the place of each value in the file.
package final class Report {
  /// The part of a value that a finding is about.
  package enum Spot {
    case value
    /// The name of the value's member.
    case name
    /// A place inside a string, as a number of Unicode scalars.
    case inside(Int)
  }

  /// What a file is read for.
  package enum Purpose: Sendable {
    /// An author's file: every rule of this version applies.
    case check
    /// A definition that an earlier version accepted: only its form matters, because sagas run on it.
    case decoding
  }

  package let file: String?
  let codes: FormCodes
  let purpose: Purpose
  private let bytes: [UInt8]
  private let document: JSONDocument
  private var findings: [Finding] = []
  private var known: Set<Finding> = []
  private var errors = 0
  private var warnings = 0
  /// The number of findings that are counted but not kept.
  package private(set) var omitted = 0

  /// The most errors, and the most warnings, that are kept for one file. More findings are hardly read, and each costs
  /// memory for its place and its words, and space in the answer.
  package static let most = 100
  /// The most characters of a finding's message. A message contains names from the file.
  private static let longestMessage = 600

  package init(
    document: JSONDocument, bytes: [UInt8], file: String?, codes: FormCodes = .workflow, purpose: Purpose = .check
  ) {
    self.codes = codes
    self.purpose = purpose
    self.document = document
    self.bytes = bytes
    self.file = file
  }

  package var hasErrors: Bool { errors > 0 }

  /// - Parameters:
  ///   - code: the stable code.
  ///   - message: one sentence; not built when there are already too many errors.
  ///   - pointer: the value of the finding.
  ///   - spot: the part of the value.
  ///   - near: the name that was probably meant; not searched when there are already too many errors.
  package func error(
    _ code: String, _ message: @autoclosure () -> String, at pointer: @autoclosure () -> JSONPointer,
    _ spot: Spot = .value, near: @autoclosure () -> String? = nil
  ) {
    errors += 1
    guard errors <= Self.most else {
      omitted += 1
      return
    }
    add(.error, code, message(), pointer(), spot, near())
  }

  /// Reports an error in a value whose form is right: the reader can use the value. A stored definition may have it,
  /// because an earlier version may not have had the rule. The parameters are those of `error`.
  package func rule(
    _ code: String, _ message: @autoclosure () -> String, at pointer: @autoclosure () -> JSONPointer,
    _ spot: Spot = .value, near: @autoclosure () -> String? = nil
  ) {
    guard purpose == .check else { return }
    error(code, message(), at: pointer(), spot, near: near())
  }

  package func warning(
    _ code: String, _ message: @autoclosure () -> String, at pointer: @autoclosure () -> JSONPointer,
    _ spot: Spot = .value, near: @autoclosure () -> String? = nil
  ) {
    warnings += 1
    guard warnings <= Self.most else {
      omitted += 1
      return
    }
    add(.warning, code, message(), pointer(), spot, near())
  }

  /// Adds what the compiler found in a schema of the file.
  /// - Parameter schema: the place of the schema.
  func add(_ finding: SchemaFinding, of schema: JSONPointer) {
    let spot: Spot =
      switch finding.spot {
      case .value: .value
      case .name: .name
      case .inside(let offset): .inside(offset)
      }
    let pointer = schema.appending(finding.pointer)
    if finding.isError {
      rule(finding.code, finding.message, at: pointer, spot, near: finding.nearName)
    } else {
      warning(finding.code, finding.message, at: pointer, spot, near: finding.nearName)
    }
  }

  /// Returns all findings in the order of the file. At the same place, errors come first.
  package func inOrder() -> [Finding] {
    let numbered = findings.enumerated().sorted { left, right in
      let places = (left.element.place?.offset ?? 0, right.element.place?.offset ?? 0)
      if places.0 != places.1 { return places.0 < places.1 }
      if left.element.severity != right.element.severity { return left.element.severity == .error }
      return left.offset < right.offset
    }
    return numbered.map(\.element)
  }

  private func add(
    _ severity: Finding.Severity, _ code: String, _ message: String, _ pointer: JSONPointer, _ spot: Spot,
    _ near: String?
  ) {
    let finding = Finding(
      severity: severity, code: code, message: Self.shortened(message), pointer: pointer,
      place: place(of: pointer, spot), file: file,
      nearName: near)
    if known.insert(finding).inserted { findings.append(finding) }
  }

  private static func shortened(_ message: String) -> String {
    guard message.utf8.count > longestMessage else { return message }
    return String(String.UnicodeScalarView(message.unicodeScalars.prefix(longestMessage))) + "…"
  }

  private func place(of pointer: JSONPointer, _ spot: Spot) -> SourcePlace? {
    guard let value = document.place(of: pointer) else { return nil }
    switch spot {
    case .value: return value
    case .name: return document.placeOfName(pointer) ?? value
    case .inside(let offset): return StringPlace.place(scalar: offset, ofStringAt: value, in: bytes)
    }
  }
}

/// Finds the place of a scalar of a JSON string in the text of the file. The file may write the scalar as an escape.
enum StringPlace {
  static func place(scalar target: Int, ofStringAt start: SourcePlace, in bytes: [UInt8]) -> SourcePlace {
    guard bytes.indices.contains(start.offset), bytes[start.offset] == UInt8(ascii: "\"") else { return start }
    var offset = start.offset + 1
    var column = start.column + 1
    var scalar = 0
    while scalar < target, offset < bytes.count, bytes[offset] != UInt8(ascii: "\"") {
      if bytes[offset] == UInt8(ascii: "\\") {
        let length = escapeLength(at: offset, in: bytes)
        offset += length
        column += length
      } else {
        offset += 1
        while offset < bytes.count, bytes[offset] & 0xC0 == 0x80 { offset += 1 }
        column += 1
      }
      scalar += 1
    }
    return SourcePlace(line: start.line, column: column, offset: offset)
  }

  /// Returns the length of an escape. `\n` has two characters, `\u00e9` six, and a surrogate pair (two escapes for one
  /// scalar) twelve.
  private static func escapeLength(at offset: Int, in bytes: [UInt8]) -> Int {
    guard offset + 1 < bytes.count, bytes[offset + 1] == UInt8(ascii: "u") else { return 2 }
    guard offset + 3 < bytes.count else { return 2 }
    let isHigh =
      (bytes[offset + 2] | 0x20) == UInt8(ascii: "d") && "89abAB".utf8.contains(bytes[offset + 3])
    return isHigh ? 12 : 6
  }
}
