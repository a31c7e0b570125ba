public import Values

/// Why a manifest can't be read: everything that is wrong with it, each with its place.
public struct ManifestError: CodedError, Hashable {
  /// One thing that is wrong.
  public struct Fault: Sendable, Hashable {
    public let code: String
    /// From 1; columns in Unicode scalars.
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

  /// The first fault's.
  public var code: String { faults[0].code }
  public var line: Int { faults[0].line }
  public var column: Int { faults[0].column }

  /// How many faults the message names.
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
