import JSON
import Values

/// What comes with a plate of tubes: a table as text, whose first line names the columns, one tube a line.
///
/// Reading one says everything that keeps it from being a table of those columns, at once and with its place. Whether a tube
/// is right is for the participants to say, so a wrong barcode, volume or date is read as it stands.
public struct Manifest: Sendable {
  public struct Row: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public let line: Int
    /// The row as a saga's input, members in the order of the columns. A column of numbers gives a number where the field
    /// reads as one; an empty field is an empty string in a column that must be there, and left out in any other.
    public let input: JSON
  }

  /// A column that a manifest has or may have.
  public struct Column: Sendable, Hashable {
    /// The member of the saga's input.
    public let name: String
    public let isRequired: Bool
    public let isNumber: Bool

    public init(_ name: String, isRequired: Bool = true, isNumber: Bool = false) {
      self.name = name
      self.isRequired = isRequired
      self.isNumber = isNumber
    }

    /// Returns the columns that a workflow's `inputSchema` names, one for each property; nil for a schema without any.
    public static func all(of schema: JSON?) -> [Column]? {
      guard let properties = schema?["properties"]?.objectValue, !properties.isEmpty else { return nil }
      let required = Set(schema?["required"]?.arrayValue?.compactMap(\.stringValue) ?? [])
      return properties.map { name, property in
        let type = property["type"]?.stringValue
        return Column(name, isRequired: required.contains(name), isNumber: type == "number" || type == "integer")
      }
    }
  }

  /// In the order of the file, by their own names.
  public let columns: [String]
  public let rows: [Row]

  /// What `sample-processing` takes of each tube.
  public static let sampleProcessing: [Column] = [
    Column("barcode"), Column("type"), Column("volumeMl", isNumber: true), Column("temperature"), Column("patientId"),
    Column("priority"), Column("assay"), Column("requestedBy"), Column("collectedAt", isRequired: false),
    Column("well", isRequired: false),
  ]

  /// - Parameters:
  ///   - bytes: UTF-8, with or without a byte order mark, or UTF-16 with one.
  ///   - columns: those that are used. Names in the file are theirs, whatever their case, and however their words are joined.
  public init(parsing bytes: [UInt8], columns known: [Column] = Manifest.sampleProcessing) throws(ManifestError) {
    let (text, firstLine, separator) = Self.separated(try ManifestText.decode(bytes), known)
    var reader = CSVReader(text, separator: separator, firstLine: firstLine)
    var records = reader.records()
    var faults = reader.faults
    if reader.isHeaderFaulty { throw ManifestError(faults) }
    guard let header = records.first else {
      throw ManifestError(faults + [.init(LabErrorCode.manifestColumns, line: 1, column: 1, "the manifest is empty")])
    }
    records.removeFirst()
    // A line of separators alone is an empty line of a spreadsheet.
    records.removeAll { $0.allSatisfy { ManifestText.isBlank($0.text) } }
    // A separator at the end of every line is none.
    let used = max(
      header.lastIndex { !ManifestText.isBlank($0.text) } ?? 0,
      records.map { $0.lastIndex { !ManifestText.isBlank($0.text) } ?? 0 }.max() ?? 0)
    let named = Self.columns(named: Array(header.prefix(used + 1)), known, &faults)
    let decimals = Decimals(separator: separator)
    var wells: [String: Int] = [:]
    var rows: [Row] = []
    for record in records {
      Self.checkFormulas(record, &faults)
      guard Self.hasAll(record, header.prefix(used + 1).count, &faults) else { continue }
      let row = Self.row(record, named, decimals)
      if let field = zip(named, record).first(where: { $0.0?.name == "well" })?.1 { Self.check(field, &wells, &faults) }
      rows.append(row)
    }
    faults += decimals.faults(in: records, named)
    guard faults.isEmpty else { throw ManifestError(faults) }
    columns = named.compactMap { $0?.name }
    self.rows = rows
  }

  // MARK: The header

  /// What separates the fields: what a first line `sep=;` says, else what finds the most columns in the header.
  private static func separated(
    _ text: String, _ known: [Column]
  ) -> (text: String, firstLine: Int, separator: Unicode.Scalar) {
    let (first, rest) = ManifestText.firstLine(of: text)
    let said = Array((first.hasPrefix("\"") ? String(first.dropFirst().dropLast()) : first).unicodeScalars)
    if said.count == 5, String(String.UnicodeScalarView(said.prefix(4))).lowercased() == "sep=" {
      return (rest, 2, said[4])
    }
    let names = Set(known.map { ManifestText.key($0.name) })
    func found(_ separator: Unicode.Scalar) -> Int {
      var header = CSVReader(first, separator: separator)
      return header.records().first?.count { names.contains(ManifestText.key($0.text)) } ?? 0
    }
    let separators: [Unicode.Scalar] = [",", ";", "\t", "|"]
    return (text, 1, separators.max { found($0) < found($1) } ?? ",")
  }

  /// The column that each field of the header names; nil where it names none.
  private static func columns(
    named header: [CSVReader.Field], _ known: [Column], _ faults: inout [ManifestError.Fault]
  ) -> [Column?] {
    let byKey = Dictionary(known.map { (ManifestText.key($0.name), $0) }, uniquingKeysWith: { first, _ in first })
    var named: [Column?] = []
    func fault(_ field: CSVReader.Field, _ reason: String) -> ManifestError.Fault {
      .init(LabErrorCode.manifestColumns, line: field.line, column: field.column, reason)
    }
    for field in header {
      let column = byKey[ManifestText.key(field.text)]
      if let column, named.contains(column) {
        faults.append(fault(field, "the column “\(column.name)” comes twice"))
      } else if ManifestText.isBlank(field.text) {
        faults.append(fault(field, "a column has no name"))
      } else if column == nil {
        let names = known.map(\.name).joined(separator: ", ")
        faults.append(fault(field, "the column “\(field.text)” is not used; remove it, or name it one of \(names)"))
      }
      named.append(column)
    }
    let missing = known.filter { $0.isRequired && !named.contains($0) }.map(\.name)
    if !missing.isEmpty, let first = header.first {
      faults.append(fault(first, "the manifest has no column \(missing.joined(separator: ", "))"))
    }
    return named
  }

  // MARK: The rows

  private static func hasAll(
    _ record: [CSVReader.Field], _ count: Int, _ faults: inout [ManifestError.Fault]
  ) -> Bool {
    let isLong = record.dropFirst(count).contains { !ManifestText.isBlank($0.text) }
    guard record.count < count || isLong else { return true }
    let place = isLong ? record[count] : record[record.count - 1]
    faults.append(
      .init(
        LabErrorCode.manifestColumns, line: place.line, column: place.column,
        "the row has \(record.count) fields, but there are \(count) columns"))
    return false
  }

  private static func checkFormulas(_ record: [CSVReader.Field], _ faults: inout [ManifestError.Fault]) {
    for field in record where field.text.hasPrefix("=") || field.text.hasPrefix("@") {
      faults.append(.init(field, "the field is a formula; export values, not formulas"))
    }
  }

  /// A place on the plate is one of `A1` to `H12`, and holds one tube.
  private static func check(
    _ field: CSVReader.Field, _ wells: inout [String: Int], _ faults: inout [ManifestError.Fault]
  ) {
    if field.text.isEmpty { return }
    guard let well = PositionName.well(named: field.text[...]) else {
      return faults.append(.init(field, "“\(field.text)” is no well; a plate has A1 to H12"))
    }
    let name = PositionName(box: "", well: well).wellName
    if let line = wells.updateValue(field.line, forKey: name) {
      faults.append(.init(field, "the well \(field.text) is also that of line \(line)"))
    }
  }

  private static func row(
    _ record: [CSVReader.Field], _ columns: [Column?], _ decimals: Decimals
  ) -> Row {
    var input: JSONObject = [:]
    for (column, field) in zip(columns, record) {
      guard let column, !field.text.isEmpty || column.isRequired else { continue }
      if column.isNumber, let number = decimals.number(field.text) {
        input[column.name] = number
      } else {
        input[column.name] = .string(field.text)
      }
    }
    return Row(line: record[0].line, input: .object(input))
  }

  /// How the file writes fractions. Where semicolons separate, the comma is free for them, as spreadsheets write them in most
  /// of Europe.
  private struct Decimals {
    let separator: Unicode.Scalar

    func number(_ text: String) -> JSON? {
      let isComma = separator == ";" && text.count { $0 == "," } == 1 && !text.contains(".")
      guard let value = try? JSON(parsing: isComma ? text.replacing(",", with: ".") : text), value.numberValue != nil
      else { return nil }
      return value
    }

    /// `1,5` in one row and `1.500` in another: what the point means is anybody's guess.
    func faults(in records: [[CSVReader.Field]], _ columns: [Column?]) -> [ManifestError.Fault] {
      guard separator == ";" else { return [] }
      let fields = records.flatMap { record in
        zip(columns, record).compactMap { column, field in column?.isNumber == true ? field : nil }
      }
      guard fields.contains(where: { $0.text.contains(",") && number($0.text) != nil }) else { return [] }
      return fields.filter { $0.text.contains(".") && number($0.text) != nil }.map {
        .init($0, "“\($0.text)” has a decimal point, but other numbers have a decimal comma; write all in one way")
      }
    }
  }
}
