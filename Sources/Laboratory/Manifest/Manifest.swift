import JSON
import Runtime

/// What comes with a plate of tubes: a CSV file whose first line names the columns, one tube a line.
///
/// Reading one says what keeps it from being a table. Whether a tube is right is for the participants to say, so a
/// wrong barcode or volume is read as it stands.
public struct Manifest: Sendable {
  public struct Row: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public let line: Int
    /// The row as a saga's input, members in the order of the columns. `volumeMl` is a number where it reads as one;
    /// an empty field is an empty string in a column that must be there, and left out in any other.
    public let input: JSON
  }

  /// In the order of the file.
  public let columns: [String]
  public let rows: [Row]

  /// What `sample-processing` needs of each tube.
  public static let requiredColumns = [
    "barcode", "type", "volumeMl", "temperature", "patientId", "priority", "assay", "requestedBy",
  ]
  /// Columns that hold numbers.
  private static let numbers: Set<String> = ["volumeMl"]

  /// - Parameter bytes: UTF-8, with or without a byte order mark.
  public init(parsing bytes: [UInt8]) throws(ManifestError) {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let content = bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...]
    guard let text = String(validating: content, as: UTF8.self) else {
      let line = content.prefix(Self.validPrefix(of: content)).count { $0 == UInt8(ascii: "\n") } + 1
      throw ManifestError(LabErrorCode.manifestSyntax, line: line, column: 1, "the line is not UTF-8")
    }
    var reader = CSVReader(text)
    let records = try reader.records()
    guard let header = records.first else {
      throw ManifestError(LabErrorCode.manifestColumns, line: 1, column: 1, "the manifest is empty")
    }
    columns = header.map(\.text)
    for (index, field) in header.enumerated() {
      guard !field.text.isEmpty, !columns[..<index].contains(field.text) else {
        throw ManifestError(
          LabErrorCode.manifestColumns, line: field.line, column: field.column,
          field.text.isEmpty ? "a column has no name" : "the column “\(field.text)” comes twice")
      }
    }
    let missing = Self.requiredColumns.filter { !header.map(\.text).contains($0) }
    guard missing.isEmpty else {
      throw ManifestError(
        LabErrorCode.manifestColumns, line: 1, column: 1,
        "the manifest has no column \(missing.joined(separator: ", "))")
    }
    var rows: [Row] = []
    for record in records.dropFirst() { rows.append(try Self.row(record, columns)) }
    self.rows = rows
  }

  private static func row(_ record: [CSVReader.Field], _ columns: [String]) throws(ManifestError) -> Row {
    let line = record[0].line
    guard record.count == columns.count else {
      let place = record.count > columns.count ? record[columns.count] : record[record.count - 1]
      throw ManifestError(
        LabErrorCode.manifestColumns, line: place.line, column: place.column,
        "the row has \(record.count) fields, but there are \(columns.count) columns")
    }
    var input: JSONObject = [:]
    for (name, field) in zip(columns, record) {
      if field.text.isEmpty, !requiredColumns.contains(name) { continue }
      if numbers.contains(name), let value = try? JSON(parsing: field.text), value.numberValue != nil {
        input[name] = value
      } else {
        input[name] = .string(field.text)
      }
    }
    return Row(line: line, input: .object(input))
  }

  /// How many bytes are UTF-8 from the start.
  private static func validPrefix(of bytes: ArraySlice<UInt8>) -> Int {
    var end = 0
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
      guard String(validating: bytes.prefix(index), as: UTF8.self) != nil else { return end }
      end = index + 1
    }
    return end
  }
}

/// Why a manifest can't be read, and where.
public struct ManifestError: CodedError, Hashable {
  public let code: String
  public let line: Int
  public let column: Int
  public let reason: String

  public var message: String { "line \(line), column \(column): \(reason)" }

  init(_ code: String, line: Int, column: Int, _ reason: String) {
    self.code = code
    self.line = line
    self.column = column
    self.reason = reason
  }
}
