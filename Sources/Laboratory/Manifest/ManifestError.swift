public import Values

/// The errors of a manifest that can't be read, each with its place.
public struct ManifestError: CodedError, Hashable {
  /// One error.
  public struct Fault: Sendable, Hashable {
    public let code: String
    /// Counted from 1; columns count Unicode scalars.
    public let line: Int
    public let column: Int
    public let reason: String

    init(_ code: String, line: Int, column: Int, _ reason: String) {
      self.code = code
      self.line = line
      self.column = column
      self.reason = reason
    }

    init(_ field: CSVReader.Field, _ reason: String) {
      self.init(LabErrorCode.manifestSyntax, line: field.line, column: field.column, reason)
    }

    public var message: String { "line \(line), column \(column): \(reason)" }
  }

  /// In the order of the file; never empty.
  public let faults: [Fault]

  /// The code of the first fault.
  public var code: String { faults[0].code }
  public var line: Int { faults[0].line }
  public var column: Int { faults[0].column }

  /// The largest number of faults in the message.
  private static let named = 20

  /// One line for each fault, 20 at most.
  public var message: String {
    let rest = faults.count - Self.named
    return faults.prefix(Self.named).map(\.message).joined(separator: "\n")
      + (rest > 0 ? "\nand \(rest) more" : "")
  }

  /// - Precondition: there is a fault.
  init(_ faults: [Fault]) {
    precondition(!faults.isEmpty, "An error without a fault")
    self.faults = faults.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
  }
}
